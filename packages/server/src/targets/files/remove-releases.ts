/**
 * Removes trees that nobody needs. A tree first leaves `releases/` by a rename, so that what is there is always whole.
 * Only names of this operation's fence and older ones are touched: names of newer operations may be about to run.
 */
import { join } from 'node:path';
import { compareFences, type Fence } from '@stella/domain';
import type { CallScope } from '../call-scope.ts';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';
import { listNames, removeName } from './durable-files.ts';
import { INDEX_SUFFIX } from './file-index.ts';
import { type FilesPlace, parseReleaseName, type ReleaseName } from './files-place.ts';
import { removeOldRecords } from './operation-record.ts';

export interface KeepWish {
  readonly fence: Fence;
  /** What runs now. */
  readonly current: ReleaseName;
  /** Releases that stay, the running one included. */
  readonly keepCount: number;
}

/** Keeps the releases that were switched to last, one tree of each digest. Ends early with the call. */
export async function removeOldReleases(
  deps: TargetDeps,
  place: FilesPlace,
  wish: KeepWish,
  scope: CallScope,
): Promise<void> {
  const names = (await listNames(deps, place.releases)).map(parseReleaseName).filter((name) => name !== null);
  for (const name of chooseRemoved(names, wish)) {
    if (scope.ending() !== null) return;
    await discardTree(deps, place, name);
  }
  await removeLoneIndexes(deps, place, wish);
  await removeOldRecords(deps, place);
  await hitFault(deps, 'target.files.old_releases_removed');
}

/** Which trees go. Pure. */
export function chooseRemoved(
  names: readonly ReleaseName[],
  { fence, current, keepCount }: KeepWish,
): readonly ReleaseName[] {
  const others = names
    .filter((name) => name.text !== current.text && compareFences(name.fence, fence) <= 0)
    .sort((a, b) => compareFences(b.fence, a.fence) || (a.text < b.text ? -1 : 1));
  const keptDigests = new Set([current.digest]);
  return others.filter(({ digest }) => {
    if (keptDigests.has(digest) || keptDigests.size >= Math.max(1, keepCount)) return true;
    keptDigests.add(digest);
    return false;
  });
}

/** Out of `releases/` at once, from the disk after that. */
export async function discardTree(deps: TargetDeps, place: FilesPlace, name: ReleaseName): Promise<void> {
  const trash = join(place.trash, name.text);
  try {
    await deps.fileSystem.rename(join(place.releases, name.text), trash);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  await hitFault(deps, 'target.files.old_release_discarded');
  await removeTree(deps, trash);
}

/** Removes what killed operations left. Callers hold the lock; whoever else still writes there has been fenced out. */
export async function removeLeftovers(deps: TargetDeps, place: FilesPlace): Promise<void> {
  for (const directory of [place.staging, place.trash]) {
    for (const name of await listNames(deps, directory)) await removeTree(deps, join(directory, name));
  }
}

/** Best effort: what stays is removed by a later operation. */
export async function removeTree({ fileSystem, logger }: TargetDeps, path: string): Promise<void> {
  try {
    await fileSystem.rm(path, { recursive: true, force: true });
  } catch (error) {
    logger.warn({ error, path }, 'a tree could not be removed');
  }
}

async function removeLoneIndexes(deps: TargetDeps, place: FilesPlace, { fence }: KeepWish): Promise<void> {
  const releases = new Set(await listNames(deps, place.releases));
  for (const file of await listNames(deps, place.indexes)) {
    const name = parseReleaseName(file.slice(0, -INDEX_SUFFIX.length));
    const isLone = name !== null && !releases.has(name.text) && compareFences(name.fence, fence) <= 0;
    if (isLone) await removeName(deps, join(place.indexes, file));
  }
}
