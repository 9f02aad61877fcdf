import type { ChildProcess } from 'node:child_process';

/** Of a program that leads a group: with whatever it has started, unless that made a session of its own. */
export function endGroup({ pid }: ChildProcess, signal: string): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended meanwhile, or there is no such signal.
  }
}
