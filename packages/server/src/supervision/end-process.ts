/** Ends one process, softly and then for good. It is told apart from a later one with the same pid before every signal. */
import { type Clock, pause } from '../ports/clock.ts';
import type { Processes } from '../ports/processes.ts';
import type { ProcessName } from './service-state.ts';

/** A server that drains gives effects 10 s and PostgreSQL 20 s; what takes longer hangs. */
export const DRAIN_MS_MAX = 30_000;
/** The kernel ends a killed process once it leaves an uninterruptible wait, such as for a disk. */
const KILL_MS_MAX = 10_000;
const LOOK_MS = 50;

interface EndDeps {
  readonly clock: Clock;
  readonly processes: Processes;
}

export async function isRunning({ processes }: Pick<EndDeps, 'processes'>, name: ProcessName): Promise<boolean> {
  const facts = await processes.inspect(name.pid);
  return facts !== null && (name.startedAt === null || facts.startedAt === name.startedAt);
}

/** `killed`: it did not end within `DRAIN_MS_MAX`. `stays`: not even then. */
export async function endProcess(
  deps: EndDeps,
  name: ProcessName,
  signal: NodeJS.Signals,
): Promise<'drained' | 'killed' | 'stays'> {
  if (await isSignalled(deps, name, signal)) await untilGone(deps, name, DRAIN_MS_MAX);
  if (!(await isSignalled(deps, name, 'SIGKILL'))) return 'drained';
  return (await untilGone(deps, name, KILL_MS_MAX)) ? 'killed' : 'stays';
}

/** False when it runs no longer. */
async function isSignalled(deps: EndDeps, name: ProcessName, signal: NodeJS.Signals): Promise<boolean> {
  return (await isRunning(deps, name)) && deps.processes.signal(name.pid, signal);
}

async function untilGone(deps: EndDeps, name: ProcessName, limitMs: number): Promise<boolean> {
  const endMs = deps.clock.monotonicMs() + limitMs;
  while (await isRunning(deps, name)) {
    if (deps.clock.monotonicMs() >= endMs) return false;
    await pause(deps.clock, LOOK_MS);
  }
  return true;
}
