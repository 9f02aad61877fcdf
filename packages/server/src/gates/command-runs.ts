/**
 * Programs of gates that run now, one file each, so that those of a server which was killed are ended by the next one on the
 * same machine. Only a process that is still the one that was noted is touched: a number is soon another's.
 */
import { join } from 'node:path';
import type { FileSystem } from '../ports/file-system.ts';
import type { Logger } from '../ports/logger.ts';
import type { Processes } from '../ports/processes.ts';

export interface CommandRunDeps {
  readonly fileSystem: Pick<FileSystem, 'mkdir' | 'stat' | 'readdir' | 'readFile' | 'writeFile' | 'rm'>;
  readonly processes: Pick<Processes, 'inspect' | 'killGroup'>;
  readonly logger: Logger;
  /** Of this user's servers alone. */
  readonly folder: string;
  /** Of this server. */
  readonly uid: number;
  readonly pid: number;
}

export interface CommandRuns {
  /** It runs as the leader of its group; answers what to call when it has ended. Never rejects. */
  note(pid: number): () => void;
}

interface Noted {
  readonly pid: number;
  readonly startedAt: string | null;
  readonly server: number;
  readonly serverStartedAt: string | null;
}

export async function openCommandRuns(deps: CommandRunDeps): Promise<CommandRuns> {
  const { fileSystem, folder, processes, logger, pid: server } = deps;
  await fileSystem.mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await isOurs(deps))) {
    logger.warn({ folder }, "programs of gates are not noted: the folder is another user's, or open to others");
    return { note: () => () => undefined };
  }
  await endOrphans(deps);
  const serverStartedAt = (await processes.inspect(server))?.startedAt ?? null;
  const fileOf = (pid: number): string => join(folder, `${server}-${pid}.json`);
  const write = async (pid: number): Promise<void> => {
    const startedAt = (await processes.inspect(pid))?.startedAt ?? null;
    const noted: Noted = { pid, startedAt, server, serverStartedAt };
    await fileSystem.writeFile(fileOf(pid), JSON.stringify(noted), { mode: 0o600 });
  };
  return {
    note(pid) {
      const written = write(pid).catch((error: unknown) => logger.warn({ error, pid }, 'a program was not noted'));
      return () => {
        const gone = written.then(() => fileSystem.rm(fileOf(pid), { force: true }));
        gone.catch((error: unknown) => logger.warn({ error, pid }, 'the note of a program was not removed'));
      };
    },
  };
}

/** Below a temporary directory anybody could have made it, and name processes in it. */
async function isOurs({ fileSystem, folder, uid }: CommandRunDeps): Promise<boolean> {
  const stat = await fileSystem.stat(folder);
  return stat.uid === uid && (stat.mode & OPEN_TO_OTHERS) === 0;
}

const OPEN_TO_OTHERS = 0o077;

/** Those whose server is no more. */
async function endOrphans({ fileSystem, folder, processes, logger }: CommandRunDeps): Promise<void> {
  for (const name of await fileSystem.readdir(folder)) {
    const path = join(folder, name);
    const noted = parse(await fileSystem.readFile(path, 'utf8').catch(() => ''));
    if (noted && (await isSame(processes, noted.server, noted.serverStartedAt))) continue;
    if (noted && (await isSame(processes, noted.pid, noted.startedAt))) {
      processes.killGroup(noted.pid);
      logger.warn({ pid: noted.pid }, 'the program of a gate, left by a server that was killed, was ended');
    }
    await fileSystem.rm(path, { force: true });
  }
}

async function isSame(processes: CommandRunDeps['processes'], pid: number, startedAt: string | null): Promise<boolean> {
  const facts = await processes.inspect(pid);
  return facts !== null && startedAt !== null && facts.startedAt === startedAt;
}

/** Null: it was cut off while it was written. */
function parse(text: string): Noted | null {
  try {
    const value: unknown = JSON.parse(text);
    // Only this file writes there.
    return typeof value === 'object' && value !== null && 'pid' in value ? (value as Noted) : null;
  } catch {
    // A note that was cut off names nobody.
    return null;
  }
}
