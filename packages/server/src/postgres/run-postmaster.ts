/** Brings PostgreSQL to where it accepts connections: the one that runs already, or a new one. */
import { join } from 'node:path';
import { pause } from '../ports/clock.ts';
import type { Binaries } from './binaries.ts';
import { type EmbeddedDeps, PROGRAM_ENVIRONMENT } from './embedded-deps.ts';
import type { Layout } from './layout.ts';
import { logEnd, readLogTail } from './log-file.ts';
import { startError } from './make-cluster.ts';
import type { PostgresUser } from './postgres-user.ts';
import { clearRemains, findPostmaster, isRunning, type Postmaster, readStatus, stopPostmaster } from './postmaster.ts';

/** Recovery after a crash replays up to 512 MB of log. */
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 10;
/** A start that takes longer than this is explained in the log. */
const SLOW_START_MS = 3_000;

export interface Installation {
  readonly layout: Layout;
  readonly user: PostgresUser;
  readonly binaries: Binaries;
}

export interface AdoptOptions {
  /** It runs with settings that are no longer ours. */
  readonly needsRestart: boolean;
  readonly halt: AbortSignal;
}

/**
 * The one that runs, ready; null when none runs or when it had to be stopped: it is ending, another version, or has other
 * settings. Errors: as `startPostmaster`.
 */
export async function adoptPostmaster(
  deps: EmbeddedDeps,
  { layout, binaries }: Installation,
  options: AdoptOptions,
): Promise<Postmaster | null> {
  const found = await findPostmaster(deps, layout);
  if (found === null) return null;
  const isOtherVersion = found.executable !== null && found.executable !== binaries.postgres;
  const status = await readStatus(deps, layout, found.pid);
  if (isOtherVersion || options.needsRestart || status === 'stopping') {
    deps.logger.info({ pid: found.pid, isOtherVersion, status }, 'the PostgreSQL that runs is started anew');
    await stopPostmaster(deps, layout, found);
    return null;
  }
  // Who may connect may have changed.
  deps.processes.signal(found.pid, 'SIGHUP');
  const isReady = await waitForReady(deps, layout, { postmaster: found, halt: options.halt });
  return isReady ? found : null;
}

/**
 * Ends what is left of an earlier one, and starts. Errors: `database.start` with the last lines of its log, also when it
 * is not ready within 60 s; it is then left to recover, and whoever starts next adopts it.
 */
export async function startPostmaster(
  deps: EmbeddedDeps,
  { layout, user, binaries }: Installation,
  halt: AbortSignal,
): Promise<Postmaster> {
  await clearRemains(deps, layout);
  const startMs = deps.clock.monotonicMs();
  const logFrom = await logEnd(deps, layout.logFile);
  const setting = (name: string, file: string): readonly string[] => ['-c', `${name}=${join(layout.config, file)}`];
  const argv: [string, ...string[]] = [
    binaries.postgres,
    '-D',
    layout.cluster,
    ...setting('config_file', 'postgresql.conf'),
    ...setting('hba_file', 'pg_hba.conf'),
    ...setting('ident_file', 'pg_ident.conf'),
  ];
  const { pid } = await deps.processes.startDetached(argv, {
    cwd: layout.cluster,
    env: PROGRAM_ENVIRONMENT,
    logFile: layout.logFile,
    ...user.switchTo,
  });
  const facts = await deps.processes.inspect(pid);
  const postmaster: Postmaster = { pid, startedAt: facts?.startedAt ?? null };
  if (!(await waitForReady(deps, layout, { postmaster, halt }))) {
    const tail = await readLogTail(deps, layout.logFile, logFrom);
    throw startError(layout, tail || 'it ended without a word');
  }
  deps.logger.info({ pid, durationMs: Math.round(deps.clock.monotonicMs() - startMs) }, 'embedded PostgreSQL started');
  return postmaster;
}

/** False when it ended, or when `halt` aborts. Throws `database.start` when the time ran out. */
async function waitForReady(
  deps: EmbeddedDeps,
  layout: Layout,
  { postmaster, halt }: { postmaster: Postmaster; halt: AbortSignal },
): Promise<boolean> {
  const { clock, logger } = deps;
  const { pid } = postmaster;
  const startMs = clock.monotonicMs();
  let isExplained = false;
  while (clock.monotonicMs() - startMs < READY_TIMEOUT_MS) {
    if ((await readStatus(deps, layout, pid)) === 'ready') return true;
    if (halt.aborted || !(await isRunning(deps, postmaster))) return false;
    if (!isExplained && clock.monotonicMs() - startMs > SLOW_START_MS) {
      isExplained = true;
      logger.warn({ pid, timeoutMs: READY_TIMEOUT_MS }, 'embedded PostgreSQL recovers after a crash; waiting for it');
    }
    await pause(clock, READY_POLL_MS, halt);
  }
  const seconds = READY_TIMEOUT_MS / 1_000;
  throw startError(layout, `it is not ready after ${seconds} s, still recovers after a crash and goes on; start again`);
}
