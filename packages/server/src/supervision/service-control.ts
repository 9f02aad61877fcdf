/**
 * Starting, stopping and restarting the orchestrator of a data directory, by systemd or by our own supervisor, and waiting
 * until it is ready. What nobody manages is refused, and no process is sent a signal that is not certainly ours.
 */
import { AppError } from '@stella/domain';
import { pause } from '../ports/clock.ts';
import { logEnd, readLogTail } from '../postgres/log-file.ts';
import { isRunning } from './end-process.ts';
import { findOwner } from './find-owner.ts';
import { makePlace, placeOf, SUPERVISOR_FILE } from './service-place.ts';
import { isSame, type ProcessName, readState } from './service-state.ts';
import { readReport, type ReportDeps, type ServiceReport, systemdDepsOf } from './service-report.ts';
import { startSupervisor, stopLeftDatabase } from './supervisor.ts';
import { systemctl } from './systemd.ts';

const LOOK_MS = 100;
/** A supervisor that was just started has taken its place by then. */
const SUPERVISOR_START_MS_MAX = 60_000;
/** 30 s for the server, 10 s to kill it, 35 s for PostgreSQL, and some for a busy machine. */
const STOP_MS_MAX = 90_000;
/** One failure may be a slip, such as a port that is free a moment later; two are told at once. */
const FAILURES_TOLD = 2;

export interface ControlDeps extends ReportDeps {
  /** Starts `stella service run` for the data directory, detached, with its output in the log file. */
  readonly spawnSupervisor: (dataDir: string) => Promise<ProcessName>;
  /** Told to people while they wait. */
  readonly tell: (text: string) => void;
}

export interface ServiceOrder {
  readonly dataDir: string;
  readonly manager: 'supervisor' | 'systemd';
  /** How long a server may take until it is ready: a first one makes the database, after a crash it recovers. */
  readonly readyWithinMs: number;
}

export interface Done {
  readonly report: ServiceReport;
  /** Nothing had to be done. */
  readonly wasThere: boolean;
  /** From the order to the answer of `/readyz`, or to the end of the last process. */
  readonly tookMs: number;
  /** Of these, until the old server had ended; 0 when none ran. */
  readonly drainedMs: number;
}

/** Errors: `service.unmanaged`, `service.elsewhere`, `service.manager`, `service.not_ready`. */
export async function startService(deps: ControlDeps, order: ServiceOrder): Promise<Done> {
  const startMs = deps.embedded.clock.monotonicMs();
  const before = await refuseForeign(deps, order.dataDir);
  const wasThere = before.pid !== null && (before.supervisorPid !== null || before.manager === 'systemd');
  if (!wasThere) {
    if (order.manager === 'systemd') await systemctl(systemdDepsOf(deps), ['start']);
    else if (!(await ensureSupervisor(deps, order.dataDir))) {
      // It runs and waits before it tries again: it need not.
      await signalSupervisor(deps, order.dataDir, 'SIGHUP');
    }
  }
  return untilReady(deps, order, { startMs, old: null, wasThere });
}

/** Starts it when it does not run. Errors: as `startService`. */
export async function restartService(deps: ControlDeps, order: ServiceOrder): Promise<Done> {
  const startMs = deps.embedded.clock.monotonicMs();
  const { dataDir } = order;
  const before = await refuseForeign(deps, dataDir);
  const old = before.pid === null ? null : { pid: before.pid, startedAt: before.startedAt };
  if (old !== null) deps.tell(`pid ${old.pid} drains, for at most 30 s`);
  if (order.manager === 'systemd') await systemctl(systemdDepsOf(deps), ['restart']);
  else {
    const isNew = await ensureSupervisor(deps, dataDir);
    // A new one starts a server by itself; only one that runs already is to be replaced.
    if (!isNew || old !== null) await signalSupervisor(deps, dataDir, 'SIGHUP');
  }
  return untilReady(deps, order, { startMs, old, wasThere: false });
}

/** Ends server, supervisor and embedded PostgreSQL, also what killed ones left. Errors: as `startService`. */
export async function stopService(deps: ControlDeps, order: ServiceOrder): Promise<Done> {
  const { clock } = deps.embedded;
  const startMs = clock.monotonicMs();
  const before = await refuseForeign(deps, order.dataDir);
  const wasThere = before.pid === null && before.supervisorPid === null && before.database.pid === null;
  if (before.pid !== null) deps.tell(`pid ${before.pid} drains, for at most 30 s`);
  if (order.manager === 'systemd') {
    await systemctl(systemdDepsOf(deps), ['stop']);
    // One that had to be killed left its PostgreSQL.
    await stopLeftDatabase(deps, order.dataDir);
  } else if (!wasThere) await stopSupervised(deps, order.dataDir);
  const report = await readReport(deps, order.dataDir);
  return { report, wasThere, tookMs: clock.monotonicMs() - startMs, drainedMs: 0 };
}

/** What runs there, when it is ours to command. */
export async function refuseForeign(deps: ReportDeps, dataDir: string): Promise<ServiceReport> {
  const report = await readReport(deps, dataDir);
  if (report.state === 'elsewhere') {
    throw new AppError('service.elsewhere', { details: { directory: dataDir, message: report.note } });
  }
  if (report.manager === 'hand') throw new AppError('service.unmanaged', { details: { pid: report.pid } });
  return report;
}

async function stopSupervised(deps: ControlDeps, dataDir: string): Promise<void> {
  const supervisor = await findSupervisor(deps, dataDir);
  if (supervisor === null) {
    const order = { dataDir, logFile: null, isOnlyToStop: true, command: () => Promise.reject(new Error('it stops')) };
    await (await startSupervisor(deps, order)).ended;
    return;
  }
  deps.embedded.processes.signal(supervisor.pid, 'SIGTERM');
  await until(deps, STOP_MS_MAX, async () => !(await isRunning(deps.embedded, supervisor)));
}

async function findSupervisor(deps: ReportDeps, dataDir: string): Promise<ProcessName | null> {
  const identity = { ...deps.embedded, pid: deps.pid };
  const found = await findOwner(identity, placeOf(dataDir).directory, SUPERVISOR_FILE);
  return found?.kind === 'here' ? found.owner : null;
}

async function signalSupervisor(deps: ControlDeps, dataDir: string, signal: NodeJS.Signals): Promise<void> {
  const supervisor = await findSupervisor(deps, dataDir);
  if (supervisor !== null) deps.embedded.processes.signal(supervisor.pid, signal);
}

/** True when it had to be started. Of several that are started at once one stays. */
async function ensureSupervisor(deps: ControlDeps, dataDir: string): Promise<boolean> {
  const { fileSystem } = deps.embedded;
  const place = placeOf(dataDir);
  if ((await findSupervisor(deps, dataDir)) !== null) return false;
  await makePlace(fileSystem, place);
  const logFrom = await logEnd({ fileSystem }, place.logFile);
  const started = await deps.spawnSupervisor(dataDir);
  const isSettled = async (): Promise<boolean> => {
    const supervisor = await findSupervisor(deps, dataDir);
    const state = await readState(fileSystem, place);
    if (supervisor === null) return !(await isRunning(deps.embedded, started));
    return isSame(state?.supervisor ?? null, supervisor) && state?.phase !== 'starting';
  };
  await until(deps, SUPERVISOR_START_MS_MAX, isSettled);
  if ((await findSupervisor(deps, dataDir)) !== null) return true;
  const words = await readLogTail({ fileSystem }, place.logFile, logFrom);
  throw new AppError('service.not_ready', { details: { seconds: 0, message: `its supervisor ended: ${words}` } });
}

interface Wanted {
  readonly startMs: number;
  /** The one that is to be replaced; null: any will do. */
  readonly old: ProcessName | null;
  readonly wasThere: boolean;
}

async function untilReady(deps: ControlDeps, order: ServiceOrder, { startMs, old, wasThere }: Wanted): Promise<Done> {
  const { clock } = deps.embedded;
  let drainedMs: number | null = null;
  let failuresBefore = Number.POSITIVE_INFINITY;
  let report: ServiceReport;
  do {
    report = await readReport(deps, order.dataDir);
    const isOld = old !== null && isSame({ pid: report.pid ?? 0, startedAt: report.startedAt }, old);
    const elapsedMs = clock.monotonicMs() - startMs;
    if (!isOld) drainedMs ??= old === null ? 0 : elapsedMs;
    if (!isOld && report.isReady) return { report, wasThere, tookMs: elapsedMs, drainedMs: drainedMs ?? 0 };
    // Fewer than before: another supervisor counts anew.
    failuresBefore = Math.min(failuresBefore, report.restartCount);
    if (report.pid === null && isHopeless(report, failuresBefore)) break;
    await pause(clock, LOOK_MS);
  } while (clock.monotonicMs() - startMs < order.readyWithinMs);
  const seconds = Math.round((clock.monotonicMs() - startMs) / 1_000);
  throw new AppError('service.not_ready', { details: { seconds, message: report.note ?? report.state } });
}

/**
 * Nobody tries any more, or it failed again and again since the order was given. What failed before is no sign, nor is one
 * failure after it: that may be the end of the server which the order found dying.
 */
function isHopeless({ manager, supervisorPid, restartCount }: ServiceReport, failuresBefore: number): boolean {
  if (manager === 'supervisor' && supervisorPid === null) return true;
  return restartCount - failuresBefore >= FAILURES_TOLD;
}

/** False when the time ran out. */
async function until(deps: ControlDeps, limitMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  const { clock } = deps.embedded;
  const endMs = clock.monotonicMs() + limitMs;
  while (!(await condition())) {
    if (clock.monotonicMs() >= endMs) return false;
    await pause(clock, LOOK_MS);
  }
  return true;
}
