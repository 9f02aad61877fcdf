/** The postmaster as a process: finding a running one, starting, waiting until it is ready, ending it. */
import { join } from 'node:path';
import { AppError } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes } from '../ports/processes.ts';

/** Recovery after a crash may take long; longer than this is reported. */
const READY_TIMEOUT_MS = 60_000;
const FAST_STOP_MS = 15_000;
const KILL_MS = 5_000;
const POLL_MS = 20;
/** Of the log, shown when it does not start. */
const LOG_TAIL_BYTES = 2_000;

export interface PostmasterDeps {
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  readonly clock: Clock;
}

export interface Cluster {
  readonly directory: string;
  readonly postgres: string;
  readonly socketDirectory: string;
  readonly logFile: string;
  readonly switchTo: { readonly uid: number; readonly gid: number } | null;
}

/** The pid of a postmaster that runs on this cluster and is our program; null when there is none. */
export async function findPostmaster(deps: PostmasterDeps, cluster: Cluster): Promise<number | null> {
  const lines = await readPidFile(deps.fileSystem, cluster);
  const pid = Number(lines[0] ?? '');
  if (!Number.isInteger(pid) || pid <= 0) return null;
  const facts = await deps.processes.inspect(pid);
  if (!facts) return null;
  const [executable, directory] = await Promise.all([
    realPath(deps.fileSystem, cluster.postgres),
    realPath(deps.fileSystem, cluster.directory),
  ]);
  const isOurs =
    (facts.executable === null || facts.executable === executable) && (facts.cwd === null || facts.cwd === directory);
  return isOurs ? pid : null;
}

/**
 * Backends that outlived their postmaster keep the cluster's memory and would hold up a start for as long as their
 * statements run: they are told to end at once.
 */
export async function endOrphans({ fileSystem, processes, clock }: PostmasterDeps, cluster: Cluster): Promise<number> {
  const [executable, directory] = await Promise.all([
    realPath(fileSystem, cluster.postgres),
    realPath(fileSystem, cluster.directory),
  ]);
  const orphans = (await processes.list()).filter((one) => one.executable === executable && one.cwd === directory);
  for (const { pid } of orphans) processes.signal(pid, 'SIGQUIT');
  const areGone = (): boolean => orphans.every(({ pid }) => !processes.signal(pid, 0));
  if (!(await waitUntil(clock, KILL_MS, areGone))) for (const { pid } of orphans) processes.signal(pid, 'SIGKILL');
  return orphans.length;
}

/** Resolves when it takes connections. Errors: `database.start` with the end of its log. */
export async function startPostmaster(deps: PostmasterDeps, cluster: Cluster): Promise<number> {
  const { processes, fileSystem, clock } = deps;
  const started = await processes.startDetached([cluster.postgres, '-D', cluster.directory], {
    env: { LC_ALL: 'C', TZ: 'UTC' },
    cwd: cluster.directory,
    logFile: cluster.logFile,
    ...cluster.switchTo,
  });
  let hasEnded = false;
  void started.ended.then(() => {
    hasEnded = true;
  });
  const isReady = async (): Promise<boolean> => {
    const lines = await readPidFile(fileSystem, cluster);
    return lines[0] === String(started.pid) && lines[7]?.trim() === 'ready';
  };
  const isUp = await waitUntil(clock, READY_TIMEOUT_MS, async () => hasEnded || (await isReady()));
  if (isUp && !hasEnded) return started.pid;
  const message = hasEnded ? 'it ended' : `it was not ready within ${READY_TIMEOUT_MS} ms`;
  throw await startFailure(fileSystem, cluster, message);
}

/** Ends sessions and writes everything down; when that takes too long, at once (recovery follows at the next start). */
export async function stopPostmaster({ processes, clock }: PostmasterDeps, pid: number): Promise<void> {
  const isGone = (): boolean => !processes.signal(pid, 0);
  processes.signal(pid, 'SIGINT');
  if (await waitUntil(clock, FAST_STOP_MS, isGone)) return;
  processes.signal(pid, 'SIGQUIT');
  await waitUntil(clock, KILL_MS, isGone);
}

export async function startFailure(fileSystem: FileSystem, cluster: Cluster, message: string): Promise<AppError> {
  const log = await fileSystem.readFile(cluster.logFile, 'utf8').catch(() => '');
  const tail = log.slice(-LOG_TAIL_BYTES).trim();
  return new AppError('database.start', {
    details: { message: tail === '' ? message : `${message}: ${tail}`, logFile: cluster.logFile },
  });
}

/** True as soon as `check` holds, false when it did not in time. */
export async function waitUntil(
  clock: Clock,
  timeoutMs: number,
  check: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const endsAtMs = clock.monotonicMs() + timeoutMs;
  while (clock.monotonicMs() < endsAtMs) {
    if (await check()) return true;
    await pause(clock, POLL_MS);
  }
  return check();
}

/** Lines of `postmaster.pid`: pid, data directory, start, port, socket directory, address, memory key, status. */
async function readPidFile(fileSystem: FileSystem, cluster: Cluster): Promise<readonly string[]> {
  const text = await fileSystem.readFile(join(cluster.directory, 'postmaster.pid'), 'utf8').catch(() => '');
  return text.split('\n');
}

async function realPath(fileSystem: FileSystem, path: string): Promise<string> {
  return fileSystem.realpath(path).catch(() => path);
}
