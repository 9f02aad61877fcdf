/**
 * Every cause that a diagnosis can name, in the order in which they are told when several hold: what stops everything
 * first, then what stands at the root of others. Each is described in `docs/diagnosis.md` and met by a test.
 */

/** The parts of the snapshot that a cause is read from. */
export const SNAPSHOT_PARTS = [
  'promotion',
  'environment',
  'links',
  'workers',
  'database',
  'probes',
  'gateCalls',
  'approvers',
  'server',
] as const;
export type SnapshotPart = (typeof SNAPSHOT_PARTS)[number];

export interface CauseEntry {
  /** `wait`: nothing is wrong, a person, a time or its turn is waited for. */
  readonly nature: 'fault' | 'wait';
  /** What is wrong, in a few words, lower case. */
  readonly title: string;
  readonly needs: readonly SnapshotPart[];
}

const fault = (title: string, ...needs: SnapshotPart[]): CauseEntry => ({ nature: 'fault', title, needs });
const wait = (title: string, ...needs: SnapshotPart[]): CauseEntry => ({ nature: 'wait', title, needs });

const CAUSE_TABLE = {
  'database.read_only': fault('the database takes no writes', 'database'),
  'database.disk_full': fault('the disk of the database is full', 'database'),
  'worker.none': fault('no worker runs', 'promotion', 'workers'),
  'worker.dead': fault('its worker died and nobody took over', 'promotion', 'workers'),
  'database.contention': fault('another database session holds its rows', 'promotion', 'database'),
  'worker.blocked': fault('workers live but do not move it', 'promotion', 'workers'),
  poison: fault('no worker could move it; it was set aside', 'promotion'),
  'fence.behind': fault('a target holds what the database does not know', 'environment'),
  'target.misconfigured': fault('the definition of a target cannot work', 'promotion', 'probes'),
  'target.credentials': fault('a target refuses access', 'promotion', 'probes'),
  'target.host_key': fault('a host does not prove to be the one that was named', 'promotion', 'probes'),
  'target.disk_full': fault('the disk of a target is full', 'promotion', 'probes'),
  'target.engine_down': fault('the engine of a target does not answer', 'promotion', 'probes'),
  'target.unreachable': fault('a target cannot be worked on', 'promotion', 'probes'),
  'target.slow': fault('an operation at a target does not end', 'promotion', 'probes'),
  'target.busy': fault('a target is busy with another operation', 'promotion', 'probes'),
  'target.fence_stale': fault('a target has accepted a newer fence', 'promotion'),
  'target.unhealthy': fault('a target is not healthy', 'promotion'),
  'target.wrong_digest': fault('a target does not run what was promised', 'promotion'),
  'canary.failed': fault('the judge of a canary says no', 'promotion'),
  'canary.unanswered': fault('the judge of a canary does not answer', 'promotion'),
  'registry.unreachable': fault('the registry does not answer', 'promotion', 'probes'),
  'registry.credentials': fault('the registry refuses access', 'promotion', 'probes'),
  'registry.tls': fault('the registry is not trusted', 'promotion', 'probes'),
  'registry.misconfigured': fault('a source of artifacts is not allowed here', 'promotion', 'probes'),
  'registry.artifact_missing': fault('the registry does not have the artifact', 'promotion', 'probes'),
  'registry.digest_mismatch': fault('the registry sends other bytes than promised', 'promotion', 'probes'),
  'artifact.refused': fault('the artifact is not acceptable', 'promotion'),
  'gate.misconfigured': fault('the definition of a gate cannot work', 'promotion', 'probes'),
  'gate.dns': fault('the name of a gate is not found', 'promotion', 'probes'),
  'gate.unreachable': fault('a gate cannot be connected to', 'promotion', 'probes'),
  'gate.tls': fault('a gate is not trusted', 'promotion', 'probes'),
  'gate.timeout_too_short': fault(
    'a gate answers, but later than it is waited for',
    'promotion',
    'probes',
    'gateCalls',
  ),
  'gate.slow': fault('a gate does not answer in time', 'promotion', 'probes', 'gateCalls'),
  'gate.no_callback': fault('a gate took the question and did not call back', 'promotion', 'probes'),
  'gate.bad_response': fault('a gate answers something else than a verdict', 'promotion', 'probes'),
  'gate.erroring': fault('a gate answers with errors', 'promotion', 'probes'),
  // After what a machine is waited for: that is why it stalls, and people are asked beside it.
  'gate.no_approver': fault('not enough people may approve', 'promotion', 'approvers'),
  'soak.broken': fault('what should soak runs no more, or not well', 'promotion'),
  'lock.stale': fault('nobody works for the holder of the lock', 'links'),
  'config.time_budget': fault('the declared attempts take longer than a stall', 'promotion'),
  'database.slow': fault('the database answers slowly', 'database'),
  'database.connections': fault('the connections of the database are used up', 'database'),
  'worker.version_skew': fault('workers of several versions run', 'workers'),
  'clock.skew': fault('clocks differ', 'server', 'database'),
  unknown: fault('nothing that is known explains it', 'promotion'),
  'worker.restarting': wait('the orchestrator restarts', 'promotion', 'workers'),
  'quota.exhausted': wait('a quota of the environment is used up', 'promotion'),
  'lock.held': wait('another promotion holds the lock', 'links'),
  'queue.behind': wait('others go before it', 'links'),
  'skip.pending': wait('a skip waits for a second person', 'promotion'),
  'base.changed': wait('the environment changed; people are asked again', 'promotion'),
  'approval.pending': wait('a person has to decide', 'promotion', 'approvers'),
  'dependency.pending': wait('another environment has to come so far', 'promotion'),
  'window.closed': wait('its window is closed', 'promotion'),
  'soak.running': wait('the release soaks', 'promotion'),
} as const satisfies Record<string, CauseEntry>;

export type CauseCode = keyof typeof CAUSE_TABLE;
export const CAUSES: Readonly<Record<CauseCode, CauseEntry>> = CAUSE_TABLE;
// Its keys, all of them: it is a constant.
export const CAUSE_CODES = Object.keys(CAUSE_TABLE) as readonly CauseCode[];

export function causeRank(code: CauseCode): number {
  return CAUSE_CODES.indexOf(code);
}
