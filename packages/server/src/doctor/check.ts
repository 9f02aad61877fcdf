/**
 * What a check of the doctor is: it looks, and never changes anything. To add one, write a file in `checks/` and a line in
 * `checks.ts`; route, command line and formats come with it.
 */
import type { ArtifactSource, Digest, Settings, TargetDefinition } from '@stella/domain';
import type { AuditStore } from '../ports/audit-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Diagnoser } from '../ports/diagnoser.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { NotificationReads } from '../ports/notification-store.ts';
import type { ProbeStore } from '../ports/probe-store.ts';
import type { ReadStore } from '../ports/read-store.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { Prober } from '../probes/prober.ts';

/** `skip`: it does not apply here, or could not look. */
export const CHECK_STATUSES = ['pass', 'warn', 'fail', 'skip'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

/** The second part of a check's id. `machine`: only where the doctor looks without an orchestrator. */
export const CHECK_CATEGORIES = ['orchestrator', 'storage', 'network', 'config', 'machine', 'targets'] as const;
export type CheckCategory = (typeof CHECK_CATEGORIES)[number];

export interface CheckFact {
  readonly what: string;
  readonly value: string;
}

export interface CheckFinding {
  readonly status: CheckStatus;
  /** One line. */
  readonly message: string;
  readonly facts: readonly CheckFact[];
  /** What helps, and the exact command where one does; null when nothing is to be done. */
  readonly remedy: { readonly text: string; readonly command: string | null } | null;
}

/** What checks may look through. */
export interface DoctorDeps {
  readonly audit: AuditStore;
  readonly reads: Pick<
    ReadStore,
    | 'findRelease'
    | 'listApprovers'
    | 'listDeployments'
    | 'listEnvironments'
    | 'listLocks'
    | 'listObservations'
    | 'listQuotas'
    | 'listSettings'
    | 'listWorkers'
    | 'readFacts'
    | 'readGateStats'
    | 'readMonitoring'
  >;
  /** Reads an artifact's document where it should be; throws why it cannot. Null: nothing can be looked at from here. */
  readonly readArtifact: ((source: ArtifactSource, digest: Digest, signal: AbortSignal) => Promise<unknown>) | null;
  readonly diagnoser: Pick<Diagnoser, 'diagnoseStalled'>;
  readonly notifications: Pick<NotificationReads, 'listChannels'>;
  readonly clock: Clock;
  /** With which this server was started; what `orch config` says goes above them. */
  readonly settings: Settings;
  readonly fileSystem: Pick<FileSystem, 'statfs' | 'stat'>;
  readonly probing: {
    readonly listProbes: ProbeStore['listProbes'];
    /** Keeps nothing; null where nothing can be looked at from. */
    readonly prober: Pick<Prober, 'probe'> | null;
  };
  /** What this server was allowed at its start; null: not known here. */
  readonly reach: {
    readonly coversAddress: (address: string) => boolean;
    readonly coversTarget: (target: TargetDefinition) => Promise<boolean>;
  } | null;
  /** Of definitions; null: not known here. */
  readonly secrets: Secrets | null;
  /** Files that only their owner may read. */
  readonly secretFiles: readonly string[];
  /** Of this server, on this machine. */
  readonly dataDir: string;
  readonly about: { readonly version: string; readonly isEmbedded: boolean };
}

export interface Check {
  /** `check.<category>.<what>`; just `check.<category>` when it is the only one. */
  readonly id: `check.${CheckCategory}.${string}` | `check.${CheckCategory}`;
  readonly title: string;
  /** Why it matters. */
  readonly why: string;
  /** Ends soon after `signal` aborts. Whatever it throws is a `fail`. */
  look(deps: DoctorDeps, signal: AbortSignal): Promise<CheckFinding>;
}

/** Checks of which there are as many as of something that people have defined. */
export interface CheckFamily {
  readonly category: CheckCategory;
  list(deps: DoctorDeps, order: FamilyOrder): Promise<readonly Check[]>;
}

export interface FamilyOrder {
  /** Whether who asks may let this server look at what is in the environment. */
  readonly mayProbe: (environment: string) => boolean;
}

export function passed(message: string, facts: readonly CheckFact[] = []): CheckFinding {
  return { status: 'pass', message, facts, remedy: null };
}

export function categoryOf({ id }: Pick<Check, 'id'>): CheckCategory | null {
  return CHECK_CATEGORIES.find((category) => `${id}.`.startsWith(`check.${category}.`)) ?? null;
}
