/**
 * One live server per data directory. The owner's file `server.pid` names its process so that another one of the same
 * pid, or of an earlier boot, is not mistaken for it; a file that nobody stands behind is taken over.
 */
import { join } from 'node:path';
import { AppError } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes } from '../ports/processes.ts';
import type { Random } from '../ports/random.ts';

export const OWNER_FILE = 'server.pid';

/** Each try meets another process that was faster; more would mean that something is wrong. */
const CLAIM_TRIES_MAX = 5;

interface OwnerDeps {
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  readonly random: Random;
  /** Of this process. */
  readonly pid: number;
}

export interface DataDirOwner {
  /** Gives the directory back. */
  release(): Promise<void>;
}

/** Errors: `data_dir.owned`, naming the live owner. */
export async function ownDataDir(deps: OwnerDeps, dataDir: string): Promise<DataDirOwner> {
  const { fileSystem } = deps;
  const path = join(dataDir, OWNER_FILE);
  const mine = JSON.stringify(await identityOf(deps, deps.pid));
  const draft = `${path}.${Buffer.from(deps.random.bytes(6)).toString('hex')}`;
  await fileSystem.writeFile(draft, mine, { mode: 0o644 });
  try {
    for (let tries = 0; tries < CLAIM_TRIES_MAX; tries += 1) {
      if (await isLinked(fileSystem, draft, path)) return { release: () => release(fileSystem, path, mine) };
      await removeStale(deps, dataDir, path);
    }
  } finally {
    await fileSystem.rm(draft, { force: true });
  }
  throw new AppError('data_dir.owned', { details: { directory: dataDir, pid: 'another that starts at this moment' } });
}

interface OwnerIdentity {
  readonly pid: number;
  readonly startedAt: string | null;
  readonly bootId: string | null;
}

async function identityOf({ fileSystem, processes }: OwnerDeps, pid: number): Promise<OwnerIdentity> {
  const facts = await processes.inspect(pid);
  const bootId = await fileSystem.readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null);
  return { pid, startedAt: facts?.startedAt ?? null, bootId: bootId?.trim() ?? null };
}

/** The link is made by one of several, never by two. */
async function isLinked(fileSystem: FileSystem, draft: string, path: string): Promise<boolean> {
  try {
    await fileSystem.link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function removeStale(deps: OwnerDeps, dataDir: string, path: string): Promise<void> {
  const { fileSystem } = deps;
  const seen = await readText(fileSystem, path);
  if (seen === null) return;
  await refuseLive(deps, dataDir, seen);
  // Moved, not removed: in between somebody else may have taken the place, and his file must come back.
  const aside = `${path}.stale-${Buffer.from(deps.random.bytes(6)).toString('hex')}`;
  try {
    await fileSystem.rename(path, aside);
  } catch {
    return;
  }
  const moved = await readText(fileSystem, aside);
  if (moved !== null && moved !== seen) await isLinked(fileSystem, aside, path);
  await fileSystem.rm(aside, { force: true });
}

async function refuseLive(deps: OwnerDeps, dataDir: string, text: string): Promise<void> {
  const owner = parseOwner(text);
  if (!owner) return;
  const now = await deps.processes.inspect(owner.pid);
  const me = await identityOf(deps, deps.pid);
  // Our own pid as well: this process may have started a second server, and a pid of another boot tells nothing.
  const isLive = now !== null && now.startedAt === owner.startedAt && owner.bootId === me.bootId;
  if (isLive) throw new AppError('data_dir.owned', { details: { directory: dataDir, pid: owner.pid } });
}

function parseOwner(text: string): OwnerIdentity | null {
  try {
    // Written by us; anything else counts as nobody's.
    const { pid, startedAt, bootId } = JSON.parse(text) as OwnerIdentity;
    return Number.isInteger(pid) ? { pid, startedAt, bootId } : null;
  } catch {
    return null;
  }
}

async function release(fileSystem: FileSystem, path: string, mine: string): Promise<void> {
  if ((await readText(fileSystem, path)) === mine) await fileSystem.rm(path, { force: true });
}

async function readText(fileSystem: FileSystem, path: string): Promise<string | null> {
  return fileSystem.readFile(path, 'utf8').catch(() => null);
}
