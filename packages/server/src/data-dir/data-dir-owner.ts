/**
 * One live server per data directory. The owner's file `server.pid` names its process; it is taken by making a link, so
 * that of several starters one wins and nobody sees it half written. A file that nobody stands behind is taken over: at
 * once when its process is gone, and when that cannot be known from here, after its owner gave no sign for a while.
 */
import { join } from 'node:path';
import { AppError } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes } from '../ports/processes.ts';
import type { Random } from '../ports/random.ts';
import { formatOwner, identifySelf, judgeOwner, parseOwner } from './owner-identity.ts';
import { unusable } from './prepare-data-dir.ts';

export const OWNER_FILE = 'server.pid';

/** Each try meets another process that was faster; more would mean that something is wrong. */
const CLAIM_TRIES_MAX = 5;
/** The owner's sign: it sets the file's time of change. */
const SIGN_INTERVAL_MS = 1_000;
/** Ten signs that did not come; a shorter silence may be a busy machine. */
const SILENCE_MS = 10_000;
const LOOK_INTERVAL_MS = 500;

interface OwnerDeps {
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this process. */
  readonly pid: number;
}

export interface DataDirOwner {
  /** Gives the directory back. Idempotent. */
  release(): Promise<void>;
}

/**
 * Takes the directory for this process, which need not be the first to try in it. Takes up to 10 s when the last owner
 * was in another container or before a restart of the machine, and did not give it back. Errors: `data_dir.owned`,
 * naming the live owner; `data_dir.unusable`.
 */
export async function ownDataDir(deps: OwnerDeps, dataDir: string): Promise<DataDirOwner> {
  const { fileSystem } = deps;
  const path = join(dataDir, OWNER_FILE);
  const mine = formatOwner(await identifySelf(deps));
  const draft = `${path}.${randomName(deps)}`;
  try {
    await fileSystem.writeFile(draft, mine, { mode: 0o644 });
    await claim(deps, dataDir, { draft, path });
  } catch (error) {
    throw error instanceof AppError ? error : unusable(dataDir, messageOf(error), error);
  } finally {
    await fileSystem.rm(draft, { force: true });
  }
  const endSigns = giveSigns(deps, path);
  return {
    async release() {
      endSigns();
      if ((await readText(fileSystem, path)) === mine) await fileSystem.rm(path, { force: true });
    },
  };
}

interface Files {
  /** The finished file under a name of its own. */
  readonly draft: string;
  readonly path: string;
}

async function claim(deps: OwnerDeps, dataDir: string, { draft, path }: Files): Promise<void> {
  for (let tries = 0; tries < CLAIM_TRIES_MAX; tries += 1) {
    if (await isLinked(deps.fileSystem, draft, path)) return;
    await removeStale(deps, dataDir, path);
  }
  throw owned(dataDir, 'another that starts at this moment');
}

/** The link is made by one of several, never by two. */
async function isLinked(fileSystem: FileSystem, draft: string, path: string): Promise<boolean> {
  try {
    await fileSystem.link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function removeStale(deps: OwnerDeps, dataDir: string, path: string): Promise<void> {
  const { fileSystem } = deps;
  const seen = await readText(fileSystem, path);
  if (seen === null) return;
  await refuseLive(deps, dataDir, { path, seen });
  // Moved, not removed: in between somebody else may have taken the place, and his file must come back.
  const aside = `${path}.${randomName(deps)}`;
  try {
    await fileSystem.rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const moved = await readText(fileSystem, aside);
  if (moved !== null && moved !== seen) await isLinked(fileSystem, aside, path);
  await fileSystem.rm(aside, { force: true });
}

async function refuseLive(
  deps: OwnerDeps,
  dataDir: string,
  { path, seen }: { path: string; seen: string },
): Promise<void> {
  const owner = parseOwner(seen);
  if (!owner) return;
  const verdict = await judgeOwner(deps, owner);
  if (verdict === 'gone') return;
  if (verdict === 'live' || (await givesSign(deps, path))) throw owned(dataDir, owner.pid);
}

/** Compares the file's times with each other only: the clocks of two machines may differ. */
async function givesSign({ fileSystem, clock }: OwnerDeps, path: string): Promise<boolean> {
  const readChange = async (): Promise<number | null> =>
    fileSystem.stat(path).then(
      (found) => found.mtimeMs,
      () => null,
    );
  const first = await readChange();
  const endsAtMs = clock.monotonicMs() + SILENCE_MS;
  while (clock.monotonicMs() < endsAtMs) {
    await pause(clock, LOOK_INTERVAL_MS);
    if ((await readChange()) !== first) return true;
  }
  return false;
}

function giveSigns({ fileSystem, clock }: OwnerDeps, path: string): () => void {
  let isEnded = false;
  let cancel = (): void => undefined;
  const again = (): void => {
    if (!isEnded) cancel = clock.schedule(SIGN_INTERVAL_MS, sign);
  };
  const sign = (): void => {
    const now = clock.nowMs() / 1_000;
    // A full or vanished disk shows itself elsewhere; here it means only that the sign is missed.
    fileSystem.lutimes(path, now, now).then(again, again);
  };
  again();
  return () => {
    isEnded = true;
    cancel();
  };
}

function owned(directory: string, pid: number | string): AppError {
  return new AppError('data_dir.owned', { details: { directory, pid } });
}

async function readText(fileSystem: FileSystem, path: string): Promise<string | null> {
  try {
    return await fileSystem.readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function randomName({ random }: OwnerDeps): string {
  return Buffer.from(random.bytes(6)).toString('hex');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
