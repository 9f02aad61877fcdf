/** Gets a whole tree of one digest into `releases/`: one that is still on disk, or a new one from the artifact. */
import { join } from 'node:path';
import { compareFences, type ReleaseComponent } from '@stella/domain';
import type { CallScope } from '../call-scope.ts';
import { hitFault, randomSuffix, type TargetDeps } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';
import { forEachBounded } from '../../ports/bounded-parallel.ts';
import { listNames, syncDirectory } from './durable-files.ts';
import type { UnpackLimits } from './entry-path.ts';
import { checkStillAccepted, type StoredPair } from './fence-log.ts';
import { indexOfTree, readIndex, writeIndex } from './file-index.ts';
import { type FilesPlace, makeReleaseName, parseReleaseName, type ReleaseName } from './files-place.ts';
import { readLayers, unpackedWords } from './read-layers.ts';
import { discardTree, removeTree } from './remove-releases.ts';
import { makeDirectoryDisk } from './tree-disk.ts';
import { type DirectoryNode, walkTree } from './tree-nodes.ts';
import { unpackLayers } from './unpack-layers.ts';
import { findDifference } from './verify-tree.ts';

/** Trees of one digest that are looked at before it is unpacked anew; more than one is rare. */
const CANDIDATES_MAX = 3;
/** Syncs that wait at a time: the disk's journal takes them together. */
const SYNC_CONCURRENCY = 16;
/** Servers of other users read the releases. */
const PUBLIC_MODE = 0o755;

export interface PlaceWish {
  readonly target: string;
  readonly pair: StoredPair;
  readonly component: ReleaseComponent;
  /** What runs; it keeps its name and is never taken. Null: nothing does. */
  readonly current: ReleaseName | null;
  readonly limits: UnpackLimits;
}

export interface PlacedRelease {
  readonly name: ReleaseName;
  /** For people: where it came from. */
  readonly message: string;
}

/** Throws as `unpackLayers` does; what it had made is then removed again. */
export async function placeRelease(
  deps: TargetDeps,
  place: FilesPlace,
  wish: PlaceWish,
  scope: CallScope,
): Promise<PlacedRelease> {
  const reused = await claimRelease(deps, place, wish, scope);
  if (reused) return { name: reused, message: 'was still on disk and is whole' };
  const name = makeReleaseName(wish.component.digest, wish.pair.fence, randomSuffix(deps));
  const staged = join(place.staging, name.text);
  try {
    await deps.fileSystem.mkdir(staged, 0o700);
    const message = await unpackInto(deps, place, { ...wish, staged, name }, scope);
    await deps.fileSystem.rename(staged, join(place.releases, name.text));
    await syncDirectory(deps, place.releases);
    await hitFault(deps, 'target.files.release_placed');
    return { name, message };
  } catch (error) {
    await removeTree(deps, staged);
    throw error;
  }
}

/** Gives a tree that is on disk a name of this operation, and reads all of it. Null: there is none that is whole. */
async function claimRelease(
  deps: TargetDeps,
  place: FilesPlace,
  { pair, component, current }: PlaceWish,
  scope: CallScope,
): Promise<ReleaseName | null> {
  const names = (await listNames(deps, place.releases)).map(parseReleaseName);
  const candidates = names
    .filter((name) => name !== null)
    .filter((name) => name.digest === component.digest && name.text !== current?.text)
    .sort((a, b) => compareFences(b.fence, a.fence));
  for (const candidate of candidates.slice(0, CANDIDATES_MAX)) {
    const index = await readIndex(deps, place, candidate);
    if (!index) continue;
    scope.check();
    const name = makeReleaseName(component.digest, pair.fence, randomSuffix(deps));
    await writeIndex(deps, place, name, index);
    if (!(await renameTree(deps, join(place.releases, candidate.text), join(place.releases, name.text)))) continue;
    await syncDirectory(deps, place.releases);
    await hitFault(deps, 'target.files.release_claimed');
    const difference = await findDifference(deps, join(place.releases, name.text), index, scope);
    await hitFault(deps, 'target.files.release_rehashed');
    if (difference === null) return name;
    deps.logger.warn({ directory: place.root, release: name.text, difference }, 'an unpacked release is damaged');
    await discardTree(deps, place, name);
  }
  return null;
}

/** False when it is not there any more. */
async function renameTree({ fileSystem }: TargetDeps, from: string, to: string): Promise<boolean> {
  try {
    await fileSystem.rename(from, to);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

async function unpackInto(
  deps: TargetDeps,
  place: FilesPlace,
  wish: PlaceWish & { readonly staged: string; readonly name: ReleaseName },
  scope: CallScope,
): Promise<string> {
  const { target, component, limits, staged, name, pair } = wish;
  const { layers, manifest } = await readLayers(deps, component, deps.pickManifest, scope);
  const checkAllowed = (): Promise<void> => checkStillAccepted(deps, place, pair);
  const { source } = component;
  const unpackWish = { target, source, layers, disk: makeDirectoryDisk(deps, staged), limits, checkAllowed };
  const root = await unpackLayers(deps, unpackWish, scope);
  await finishTree(deps, staged, root, scope);
  await hitFault(deps, 'target.files.tree_synced');
  const index = indexOfTree(root);
  await writeIndex(deps, place, name, index);
  await hitFault(deps, 'target.files.index_written');
  const fileCount = [...index.values()].filter((entry) => entry.kind === 'file').length;
  return `was unpacked: ${unpackedWords(fileCount, { layers, manifest })}`;
}

/** Sets the modes of directories, then makes all of it durable: files first, then the names in each directory. */
async function finishTree(deps: TargetDeps, staged: string, root: DirectoryNode, scope: CallScope): Promise<void> {
  const { fileSystem } = deps;
  const entries = [...walkTree(root)];
  const directories = entries.filter(({ node }) => node.kind === 'directory');
  for (const { path, node } of directories) {
    if (node.kind === 'directory') await fileSystem.chmod(join(staged, path), node.mode);
  }
  await fileSystem.chmod(staged, PUBLIC_MODE);
  const files = entries.filter(({ node }) => node.kind === 'file');
  await forEachBounded(files, SYNC_CONCURRENCY, async ({ path }) => {
    scope.check();
    await syncFile(deps, join(staged, path));
  });
  const made = [staged, ...directories.map(({ path }) => join(staged, path))];
  await forEachBounded(made, SYNC_CONCURRENCY, (path) => syncDirectory(deps, path));
}

async function syncFile({ fileSystem }: TargetDeps, path: string): Promise<void> {
  const handle = await fileSystem.open(path, fileSystem.constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
