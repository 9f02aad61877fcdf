/** Everything that this machine can say about the orchestrator of one data directory, whoever manages it. Only looks. */
import { join } from 'node:path';
import type { ManagedBy } from '../config/server-config.ts';
import { OWNER_FILE } from '../data-dir/data-dir-owner.ts';
import { lookAtEmbedded } from '../postgres/left-running.ts';
import { type FoundOwner, findOwner } from './find-owner.ts';
import { type Installation, readInstallation } from './installation.ts';
import { placeOf, readObject, SUPERVISOR_FILE } from './service-place.ts';
import { readState, type SupervisorState } from './service-state.ts';
import type { SupervisorDeps } from './supervisor.ts';
import { readUnit, type SystemdDeps, type UnitFacts } from './systemd.ts';

/** As `SERVER_FILE` of `main/`, which is written when the server listens. */
const ANNOUNCEMENT_FILE = 'server.json';

export interface ReportDeps extends SupervisorDeps {
  /** Of this process. */
  readonly uid: number;
  /** Asks `/readyz`; null when it is ready, else why it is not. Never rejects. */
  readonly whyNotReady: (url: string) => Promise<string | null>;
}

export interface ServiceReport {
  readonly dataDir: string;
  /** `starting`: it runs and does not listen yet · `waiting`: it ended and is started again · `elsewhere`: see `note`. */
  readonly state: 'running' | 'starting' | 'draining' | 'waiting' | 'blocked' | 'stopped' | 'elsewhere';
  /** Who starts it again; `hand`: nobody; null while nothing runs and nothing is installed. */
  readonly manager: ManagedBy | 'hand' | null;
  readonly pid: number | null;
  readonly startedAt: string | null;
  readonly url: string | null;
  readonly version: string | null;
  readonly upSinceMs: number | null;
  readonly restartCount: number;
  readonly failureCount: number;
  readonly lastExit: Pick<NonNullable<SupervisorState['lastExit']>, 'atMs' | 'exitCode' | 'signal'> | null;
  readonly nextStartAtMs: number | null;
  readonly isReady: boolean;
  /** Why it is not ready, or what else a person should know; null when all is well. */
  readonly note: string | null;
  readonly supervisorPid: number | null;
  readonly database: { readonly kind: 'embedded' | 'external' | 'none' } & Pick<
    Awaited<ReturnType<typeof lookAtEmbedded>>,
    'pid' | 'status' | 'version'
  >;
  readonly logFile: string | null;
}

/** Errors: `service.manager` when systemd manages it and does not answer. */
export async function readReport(deps: ReportDeps, dataDir: string): Promise<ServiceReport> {
  const sight = await look(deps, dataDir);
  const { owner, announced, installation } = sight;
  const here = owner?.kind === 'here' ? owner.owner : null;
  const isListening = here !== null && announced?.['pid'] === here.pid;
  const textOf = (name: string): string | null => {
    const value = announced?.[name];
    return isListening && typeof value === 'string' ? value : null;
  };
  const listening = textOf('listening');
  const why = listening === null ? null : await deps.whyNotReady(listening);
  return {
    dataDir,
    state: stateOf(sight, isListening),
    manager: owner === null ? (installation?.manager ?? null) : managerOf(here?.manager ?? null),
    pid: here?.pid ?? null,
    startedAt: here?.startedAt ?? null,
    url: textOf('url'),
    version: textOf('version'),
    ...historyOf(sight),
    isReady: listening !== null && why === null,
    note: why ?? noteOf(sight),
    database: databaseOf(sight),
  };
}

interface Sight {
  readonly owner: FoundOwner | null;
  readonly announced: Readonly<Record<string, unknown>> | null;
  readonly installation: Installation | null;
  readonly supervisor: FoundOwner | null;
  /** What the last supervisor said; of one that is gone only the past counts. */
  readonly state: SupervisorState | null;
  readonly unit: UnitFacts | null;
  readonly embedded: Awaited<ReturnType<typeof lookAtEmbedded>>;
}

async function look(deps: ReportDeps, dataDir: string): Promise<Sight> {
  const { fileSystem } = deps.embedded;
  const place = placeOf(dataDir);
  const identity = { ...deps.embedded, pid: deps.pid };
  const [owner, announced, installation, supervisor, state, embedded] = await Promise.all([
    findOwner(identity, dataDir, OWNER_FILE),
    readObject(fileSystem, join(dataDir, ANNOUNCEMENT_FILE)),
    readInstallation(fileSystem, place),
    findOwner(identity, place.directory, SUPERVISOR_FILE),
    readState(fileSystem, place),
    lookAtEmbedded(deps.embedded, dataDir),
  ]);
  const isBySystemd = (owner?.owner.manager ?? installation?.manager) === 'systemd';
  const unit = isBySystemd && owner?.kind !== 'elsewhere' ? await readUnit(systemdDepsOf(deps)) : null;
  return { owner, announced, installation, supervisor, state, unit, embedded };
}

export function systemdDepsOf({ embedded, uid }: ReportDeps): SystemdDeps {
  return { fileSystem: embedded.fileSystem, processes: embedded.processes, uid };
}

function managerOf(text: string | null): ServiceReport['manager'] {
  return text === 'systemd' || text === 'supervisor' ? text : 'hand';
}

function stateOf({ owner, supervisor, state, unit }: Sight, isListening: boolean): ServiceReport['state'] {
  const phase = supervisor?.kind === 'here' ? (state?.phase ?? 'starting') : null;
  if (owner?.kind === 'elsewhere') return 'elsewhere';
  if (owner !== null) {
    if (phase === 'draining' || unit?.activeState === 'deactivating') return 'draining';
    return isListening ? 'running' : 'starting';
  }
  if (unit !== null) return unit.activeState === 'activating' ? 'waiting' : 'stopped';
  return phase === 'running' ? 'starting' : (phase ?? 'stopped');
}

function historyOf({
  state,
  unit,
  supervisor,
}: Sight): Pick<
  ServiceReport,
  'upSinceMs' | 'restartCount' | 'failureCount' | 'lastExit' | 'nextStartAtMs' | 'supervisorPid' | 'logFile'
> {
  if (unit !== null) {
    const lastExit = unit.exit && unit.exitedAtMs !== null ? { ...unit.exit, atMs: unit.exitedAtMs } : null;
    return {
      upSinceMs: unit.mainPid === null ? null : unit.sinceMs,
      restartCount: unit.restartCount,
      failureCount: unit.activeState === 'activating' ? unit.restartCount : 0,
      lastExit,
      nextStartAtMs: null,
      supervisorPid: null,
      logFile: null,
    };
  }
  const isSupervised = supervisor?.kind === 'here';
  return {
    upSinceMs: state?.serverSinceMs ?? null,
    restartCount: state?.restartCount ?? 0,
    failureCount: isSupervised ? (state?.failureCount ?? 0) : 0,
    lastExit: state?.lastExit ?? null,
    nextStartAtMs: isSupervised ? (state?.nextStartAtMs ?? null) : null,
    supervisorPid: isSupervised ? supervisor.owner.pid : null,
    logFile: state?.logFile ?? null,
  };
}

function noteOf({ owner, supervisor, state }: Sight): string | null {
  if (owner?.kind === 'elsewhere') {
    return `pid ${owner.owner.pid} of another container or machine, or of the time before this machine was started`;
  }
  const isOrphan = owner?.owner.manager === 'supervisor' && supervisor === null;
  if (isOrphan) return 'its supervisor is gone; a new one goes on with it: stella service start orchestrator';
  return supervisor?.kind === 'here' ? (state?.note ?? null) : null;
}

function databaseOf({ embedded, installation }: Sight): ServiceReport['database'] {
  const { isMade, pid, status, version } = embedded;
  const isExternal = installation?.variables['STELLA_DATABASE_URL'] !== undefined;
  if (isExternal) return { kind: 'external', pid: null, status: null, version: null };
  return { kind: isMade ? 'embedded' : 'none', pid, status, version };
}
