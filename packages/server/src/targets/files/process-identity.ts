/**
 * Which process this is, and whether another one still runs, as Linux tells it in `/proc` (proc(5)). A pid alone is not
 * enough: it is given again. Where there is no `/proc`, nothing is known and the caller falls back on deadlines.
 */
import { hasErrno } from '../target-errors.ts';
import type { TargetDeps } from '../target-deps.ts';

type IdentityDeps = Pick<TargetDeps, 'fileSystem'>;

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks after boot. */
  readonly startedAt: string;
  /** Drawn by the kernel at each boot. */
  readonly bootId: string;
  /** A pid means something only in its namespace. */
  readonly pidNamespace: string;
}

/** Null where the system does not tell. */
export async function readOwnIdentity(deps: IdentityDeps): Promise<ProcessIdentity | null> {
  const [stat, bootId, pidNamespace] = await Promise.all([
    readStat(deps, 'self'),
    readText(deps, '/proc/sys/kernel/random/boot_id'),
    deps.fileSystem.readlink('/proc/self/ns/pid').catch(() => ''),
  ]);
  return stat && bootId !== null ? { pid: stat.pid, startedAt: stat.startedAt, bootId, pidNamespace } : null;
}

/** `unknown` when it runs, if it runs, where this process cannot look. */
export async function isRunning(
  deps: IdentityDeps,
  other: ProcessIdentity,
  own: ProcessIdentity | null,
): Promise<boolean | 'unknown'> {
  if (!own) return 'unknown';
  // Another boot, so another life of the machine. (On a disk shared by machines this ends a wait early; see apply-lock.)
  if (other.bootId !== own.bootId) return false;
  if (other.pidNamespace !== own.pidNamespace) return 'unknown';
  const stat = await readStat(deps, String(other.pid));
  return stat !== null && stat.startedAt === other.startedAt && !ENDED_STATES.has(stat.state);
}

/** Killed, and not yet asked about by its parent. */
const ENDED_STATES = new Set(['Z', 'X']);

async function readStat(
  deps: IdentityDeps,
  pid: string,
): Promise<{ readonly pid: number; readonly state: string; readonly startedAt: string } | null> {
  const text = await readText(deps, `/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the program's name in brackets, which may hold anything; fields after it are counted from 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid: Number.parseInt(text, 10), state: fields[0] ?? '', startedAt: fields[19] ?? '' };
}

async function readText({ fileSystem }: IdentityDeps, path: string): Promise<string | null> {
  try {
    return (await fileSystem.readFile(path, 'utf8')).trim();
  } catch (error) {
    // ESRCH: it ended while it was read.
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'EACCES')) return null;
    throw error;
  }
}
