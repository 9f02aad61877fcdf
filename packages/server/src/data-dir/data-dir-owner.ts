/**
 * One live server per data directory. The owner's file `server.pid` names its process; it is taken by making a link, so
 * that of several starters one wins and nobody sees it half written. A file that nobody stands behind is taken over: at
 * once when its process is gone, and when that cannot be known from here, after its owner gave no sign for a while.
 */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes } from '../ports/processes.ts';
import type { Random } from '../ports/random.ts';
import { formatOwner, identifySelf, judgeOwner, type OwnerIdentity, parseOwner } from './owner-identity.ts';
import { unusable } from './prepare-data-dir.ts';

export const OWNER_FILE = 'server.pid';

/** Each try meets another process that was faster and is about to be the owner; half a second in all. */
const CLAIM_TRIES_MAX = 50;
const CLAIM_PAUSE_MS = 10;
/** As many starters died in the middle of taking over from each other; so many at one place do not exist. */
const RIGHTS_MAX = 100;
const RIGHT_SUFFIX = '.after-';
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
  /** As `OwnerIdentity.manager`. */
  readonly manager?: string | null;
}

export interface DataDirOwner {
  /** Gives the directory back. Idempotent. */
  release(): Promise<void>;
}

/**
 * Takes the directory for this process, which need not be the first to try in it. Takes up to 10 s when the last owner
 * was in another container or before a restart of the machine, and did not give it back. `file` is another name for another
 * kind of owner. Errors: `data_dir.owned`, naming the live owner; `data_dir.unusable`.
 */
export async function ownDataDir(deps: OwnerDeps, dataDir: string, file = OWNER_FILE): Promise<DataDirOwner> {
  const { fileSystem } = deps;
  const path = join(dataDir, file);
  const mine = formatOwner(await identifySelf(deps), randomName(deps));
  const draft = `${path}.${randomName(deps)}`;
  try {
    await fileSystem.writeFile(draft, mine, { mode: 0o644 });
    await claim(deps, dataDir, { draft, path });
    await removeRights(deps, path);
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

async function claim(deps: OwnerDeps, dataDir: string, files: Files): Promise<void> {
  for (let tries = 0; tries < CLAIM_TRIES_MAX; tries += 1) {
    if (await isLinked(deps.fileSystem, files.draft, files.path)) return;
    const seen = await readText(deps.fileSystem, files.path);
    if (seen === null) continue;
    const owner = await findLive(deps, { path: files.path, text: seen });
    if (owner !== null) throw owned(dataDir, owner.pid);
    if (await isTakenOver(deps, files, seen)) return;
    await pause(deps.clock, CLAIM_PAUSE_MS);
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

/**
 * Replaces the stale text `seen`. The right to do so is one more file, named after that text, which again only one can
 * make; if that one died on its way, the right to follow is named after what it wrote, and so on. Removing the stale
 * file instead would let two win: one removes it and takes the place, and a slower one then removes the newcomer.
 */
async function isTakenOver(deps: OwnerDeps, { draft, path }: Files, seen: string): Promise<boolean> {
  const { fileSystem } = deps;
  let followed = seen;
  for (let depth = 0; depth < RIGHTS_MAX; depth += 1) {
    const right = `${path}${RIGHT_SUFFIX}${nameOf(followed)}`;
    if (await isLinked(fileSystem, draft, right)) {
      const isMine = (await readText(fileSystem, path)) === seen;
      if (isMine) await fileSystem.rename(draft, path);
      await fileSystem.rm(right, { force: true });
      return isMine;
    }
    const holder = await readText(fileSystem, right);
    if (holder === null || (await findLive(deps, { path: right, text: holder })) !== null) return false;
    followed = holder;
  }
  return false;
}

/** Rights of starters that died, or that lost: whoever reads on sees that the place is taken. */
async function removeRights({ fileSystem }: OwnerDeps, path: string): Promise<void> {
  const directory = dirname(path);
  for (const name of await fileSystem.readdir(directory)) {
    if (name.startsWith(`${basename(path)}${RIGHT_SUFFIX}`))
      await fileSystem.rm(join(directory, name), { force: true });
  }
}

/** Who stands behind the file; null when nobody does. */
async function findLive(
  deps: OwnerDeps,
  { path, text }: { path: string; text: string },
): Promise<OwnerIdentity | null> {
  const owner = parseOwner(text);
  if (owner === null) return null;
  const verdict = await judgeOwner(deps, owner);
  if (verdict === 'unknown') return (await givesSign(deps, path)) ? owner : null;
  return verdict === 'live' ? owner : null;
}

function nameOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
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
