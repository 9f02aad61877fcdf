/** What a process of this machine is doing, as proc_pid_stat(5) tells it: whether it can do anything at all. */
import type { FileSystem } from '../ports/file-system.ts';

/** `stopped`: by a signal or a debugger · `blocked`: in the kernel, mostly waiting for a disk · `zombie`: it has ended. */
export type ProcessState = 'running' | 'stopped' | 'blocked' | 'zombie';

const STATES: Readonly<Record<string, ProcessState>> = {
  R: 'running',
  S: 'running',
  I: 'running',
  D: 'blocked',
  T: 'stopped',
  t: 'stopped',
  Z: 'zombie',
  X: 'zombie',
};

/** Null when there is no such process, or the machine does not tell. */
export async function readProcessState(
  { readFile }: Pick<FileSystem, 'readFile'>,
  pid: number,
): Promise<ProcessState | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // `4711 (a name) with) S 1 …`: the name may hold anything.
  const letter = text.slice(text.lastIndexOf(')') + 2).charAt(0);
  return STATES[letter] ?? null;
}
