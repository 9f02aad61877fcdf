/**
 * The running PostgreSQL: finding the one that a killed server left, ending what is left of a killed one, waiting for it
 * to be ready, stopping it. A process is ours when its program lies in our data directory; nothing else is ever sent a
 * signal, however the pid came to us.
 */
import { join } from 'node:path';
import { pause } from '../ports/clock.ts';
import type { ProcessFacts } from '../ports/processes.ts';
import { type EmbeddedDeps, readIfThere } from './embedded-deps.ts';
import type { Layout } from './layout.ts';
import { parsePostmasterFile, type PostmasterStatus } from './postmaster-file.ts';

const POLL_MS = 20;
/** A fast shutdown ends sessions and writes a checkpoint; then it is told to leave at once, which costs a recovery. */
const FAST_STOP_TIMEOUT_MS = 20_000;
/** PostgreSQL itself kills what is left after 5 s. */
const IMMEDIATE_STOP_TIMEOUT_MS = 8_000;
const KILL_TIMEOUT_MS = 5_000;

export interface Postmaster {
  readonly pid: number;
  /** Tells it from a later process with the same pid; null where the machine does not tell. */
  readonly startedAt: string | null;
}

/** What `postmaster.pid` names, when that process is a PostgreSQL of this cluster; else null. */
export async function findPostmaster(
  deps: EmbeddedDeps,
  layout: Layout,
): Promise<(Postmaster & { readonly executable: string | null }) | null> {
  const file = await readPostmasterFile(deps, layout);
  if (file === null) return null;
  const facts = await deps.processes.inspect(file.pid);
  if (facts === null || !isOurs(facts, layout)) return null;
  if (facts.cwd !== null && facts.cwd !== layout.cluster) return null;
  return { pid: facts.pid, startedAt: facts.startedAt, executable: facts.executable };
}

/** Null while there is no such file. */
export async function readStatus(deps: EmbeddedDeps, layout: Layout, pid: number): Promise<PostmasterStatus | null> {
  const file = await readPostmasterFile(deps, layout);
  return file?.pid === pid ? file.status : null;
}

async function readPostmasterFile(deps: EmbeddedDeps, layout: Layout): Promise<ReturnType<typeof parsePostmasterFile>> {
  return parsePostmasterFile((await readIfThere(deps.fileSystem, join(layout.cluster, 'postmaster.pid'))) ?? '');
}

export async function isRunning(deps: EmbeddedDeps, postmaster: Postmaster): Promise<boolean> {
  const facts = await deps.processes.inspect(postmaster.pid);
  return facts !== null && (postmaster.startedAt === null || facts.startedAt === postmaster.startedAt);
}

/**
 * Ends what a killed server or a killed PostgreSQL left: backends, which would block the next start for as long as their
 * statements run, and programs that were making the cluster. Then the files that name a dead process are removed. Only
 * when nothing is to be adopted, and only by the data directory's owner.
 */
export async function clearRemains(deps: EmbeddedDeps, layout: Layout): Promise<void> {
  const remains = await listOurs(deps, layout);
  if (remains.length > 0) {
    deps.logger.warn({ pids: remains.map((one) => one.pid) }, 'ending processes that a killed PostgreSQL left');
    await endAll(deps, remains);
  }
  await deps.fileSystem.rm(join(layout.cluster, 'postmaster.pid'), { force: true });
  await deps.fileSystem.rm(layout.socketPath, { force: true });
  await deps.fileSystem.rm(`${layout.socketPath}.lock`, { force: true });
}

async function endAll(deps: EmbeddedDeps, remains: readonly Postmaster[]): Promise<void> {
  for (const [signal, timeoutMs] of [
    ['SIGQUIT', IMMEDIATE_STOP_TIMEOUT_MS],
    ['SIGKILL', KILL_TIMEOUT_MS],
  ] as const) {
    for (const one of remains) {
      if (await isRunning(deps, one)) deps.processes.signal(one.pid, signal);
    }
    if (await waitUntil(deps, timeoutMs, () => areAllGone(deps, remains))) return;
  }
}

/** Fast, then immediate, then kill; true when it went by itself after the first. Idempotent. */
export async function stopPostmaster(deps: EmbeddedDeps, layout: Layout, postmaster: Postmaster): Promise<boolean> {
  const steps = [
    ['SIGINT', FAST_STOP_TIMEOUT_MS],
    ['SIGQUIT', IMMEDIATE_STOP_TIMEOUT_MS],
    ['SIGKILL', KILL_TIMEOUT_MS],
  ] as const;
  for (const [index, [signal, timeoutMs]] of steps.entries()) {
    if (!(await isRunning(deps, postmaster))) return true;
    if (index > 0) deps.logger.warn({ pid: postmaster.pid, signal }, 'PostgreSQL does not stop; telling it harder');
    deps.processes.signal(postmaster.pid, signal);
    if (await waitUntil(deps, timeoutMs, async () => !(await isRunning(deps, postmaster)))) {
      if (index > 0) await clearRemains(deps, layout);
      return index === 0;
    }
  }
  return false;
}

/** False when the time ran out. */
export async function waitUntil(
  deps: EmbeddedDeps,
  timeoutMs: number,
  condition: () => Promise<boolean>,
): Promise<boolean> {
  const endMs = deps.clock.monotonicMs() + timeoutMs;
  while (!(await condition())) {
    if (deps.clock.monotonicMs() >= endMs) return false;
    await pause(deps.clock, POLL_MS);
  }
  return true;
}

async function areAllGone(deps: EmbeddedDeps, processes: readonly Postmaster[]): Promise<boolean> {
  const running = await Promise.all(processes.map((one) => isRunning(deps, one)));
  return !running.includes(true);
}

async function listOurs(deps: EmbeddedDeps, layout: Layout): Promise<readonly Postmaster[]> {
  const all = await deps.processes.list();
  return all.filter((one) => one.executable !== null && isOurs(one, layout));
}

/** Where the machine tells no programs of processes, the file's word is taken. */
function isOurs(facts: ProcessFacts, layout: Layout): boolean {
  return facts.executable === null || facts.executable.startsWith(`${layout.binaries}/`);
}
