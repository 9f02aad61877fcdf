/** Which process owns a data directory, as `server.pid` says it: so exactly that no other process is mistaken for it. */
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes } from '../ports/processes.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';
const PID_NAMESPACE_LINK = '/proc/self/ns/pid';

/** Null stands for what the machine does not tell, as macOS most of it. */
export interface OwnerIdentity {
  readonly pid: number;
  /** As `ProcessFacts.startedAt`: tells it from a later process with the same pid. */
  readonly startedAt: string | null;
  /** Another one after each start of the machine. */
  readonly bootId: string | null;
  /** Containers have each their own, in which pids mean something else; see pid_namespaces(7). */
  readonly pidNamespace: string | null;
  /** Who starts it again when it ends, `supervisor` or `systemd`; null when a person started it by hand. */
  readonly manager: string | null;
}

export interface IdentityDeps {
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  /** Of this process. */
  readonly pid: number;
  readonly manager?: string | null;
}

export async function identifySelf({
  fileSystem,
  processes,
  pid,
  manager = null,
}: IdentityDeps): Promise<OwnerIdentity> {
  const [facts, bootId, pidNamespace] = await Promise.all([
    processes.inspect(pid),
    fileSystem.readFile(BOOT_ID_FILE, 'utf8').catch(() => null),
    fileSystem.readlink(PID_NAMESPACE_LINK).catch(() => null),
  ]);
  return { pid, startedAt: facts?.startedAt ?? null, bootId: bootId?.trim() ?? null, pidNamespace, manager };
}

/**
 * `unknown`: it runs, or ran, on another boot or among other pids (a second container, another machine with the same
 * disk), where this process cannot look.
 */
export async function judgeOwner(deps: IdentityDeps, owner: OwnerIdentity): Promise<'live' | 'gone' | 'unknown'> {
  const self = await identifySelf(deps);
  if (self.bootId !== owner.bootId || self.pidNamespace !== owner.pidNamespace) return 'unknown';
  const facts = await deps.processes.inspect(owner.pid);
  return facts !== null && facts.startedAt === owner.startedAt ? 'live' : 'gone';
}

/** One line of JSON, such as `{"pid":4711,"startedAt":"90210",…}`. `claim` makes each text another one. */
export function formatOwner(owner: OwnerIdentity, claim: string): string {
  return `${JSON.stringify({ ...owner, claim })}\n`;
}

/** Null when the text is something else, such as a file that a power loss left empty: nobody's. */
export function parseOwner(text: string): OwnerIdentity | null {
  const fields = parseObject(text);
  const pid = fields?.['pid'];
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) return null;
  const readText = (name: string): string | null => {
    const value = fields?.[name];
    return typeof value === 'string' ? value : null;
  };
  return {
    pid,
    startedAt: readText('startedAt'),
    bootId: readText('bootId'),
    pidNamespace: readText('pidNamespace'),
    manager: readText('manager'),
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    // A file that is cut off or not ours names nobody.
    return null;
  }
}
