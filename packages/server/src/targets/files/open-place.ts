/** Finds a target's directory, refuses what lies outside of the allowed ones, and makes what an operation needs in it. */
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { AppError, type FilesTargetDefinition } from '@stella/domain';
import { isWithinAny } from '../../ports/within.ts';
import type { TargetDeps } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';
import { syncDirectory } from './durable-files.ts';
import { type FilesPlace, filesPlace } from './files-place.ts';

type PlaceDeps = Pick<TargetDeps, 'fileSystem' | 'allowedDirectories'>;

/** Servers of other users read the releases; nobody else reads the target's own state. */
const PUBLIC_MODE = 0o755;
const STATE_MODE = 0o700;

/**
 * The place of a target, whether it exists or not; nothing is made. Throws `target.directory_forbidden`, both for the
 * path as it is written and for where its symlinks lead.
 */
export async function findPlace(deps: PlaceDeps, definition: FilesTargetDefinition): Promise<FilesPlace> {
  const { directory, name } = definition;
  const forbidden = (): AppError =>
    new AppError('target.directory_forbidden', { details: { target: name, directory } });
  if (!isAbsolute(directory)) throw forbidden();
  const realAllowed = await Promise.all(deps.allowedDirectories.map((path) => realPathOfFuture(deps, path)));
  // The written path first, so that nobody learns from the answer what exists elsewhere.
  if (!isWithinAny(resolve(directory), [...deps.allowedDirectories, ...realAllowed])) throw forbidden();
  const root = await realPathOfFuture(deps, resolve(directory));
  if (!isWithinAny(root, realAllowed)) throw forbidden();
  return filesPlace(root);
}

/** Makes the directories of the place that are missing. Throws errors of the file system, `target.disk`. */
export async function ensurePlace(deps: PlaceDeps, place: FilesPlace, target: string): Promise<void> {
  const firstMade = await deps.fileSystem.mkdir(place.root, { recursive: true, mode: PUBLIC_MODE });
  if (firstMade !== undefined) await syncUpwards(deps, dirname(place.root), dirname(firstMade));
  const isNew = await ensureDirectory(deps, place.state, STATE_MODE, target);
  if (await ensureDirectory(deps, place.releases, PUBLIC_MODE, target)) await syncDirectory(deps, place.root);
  const { fences, locks, operations, indexes, staging, trash } = place;
  const made = [];
  for (const path of [fences, locks, operations, indexes, staging, trash]) {
    made.push(await ensureDirectory(deps, path, STATE_MODE, target));
  }
  if (made.includes(true)) await syncDirectory(deps, place.state);
  if (isNew) await syncDirectory(deps, place.root);
}

/** Makes names durable from `lowest` up to `highest`, which is the same or above it. */
async function syncUpwards(deps: PlaceDeps, lowest: string, highest: string): Promise<void> {
  for (let path = lowest; path.length >= highest.length; path = dirname(path)) {
    await syncDirectory(deps, path);
    if (path === dirname(path)) return;
  }
}

/** True when it was made. A link in its place could lead anywhere, so it is refused. */
async function ensureDirectory(
  { fileSystem }: PlaceDeps,
  path: string,
  mode: number,
  target: string,
): Promise<boolean> {
  try {
    await fileSystem.mkdir(path, mode);
    await fileSystem.chmod(path, mode);
    return true;
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    await checkDirectory({ fileSystem }, path, target);
    return false;
  }
}

/** Throws `target.disk` when something else than a directory has the name. */
export async function checkDirectory(
  { fileSystem }: Pick<TargetDeps, 'fileSystem'>,
  path: string,
  target: string,
): Promise<void> {
  const status = await fileSystem.lstat(path);
  if (status.isDirectory()) return;
  throw new AppError('target.disk', { details: { target, message: `"${path}" is not a directory` } });
}

/** The real path of what exists of it, and the rest as it is written. */
async function realPathOfFuture(deps: PlaceDeps, path: string): Promise<string> {
  const existing = await nearestExisting(deps, path);
  return join(await deps.fileSystem.realpath(existing), relative(existing, path));
}

/** The path itself, or the closest directory above it that exists. */
export async function nearestExisting({ fileSystem }: Pick<TargetDeps, 'fileSystem'>, path: string): Promise<string> {
  let candidate = resolve(path);
  // Ends at the root, which exists.
  for (;;) {
    try {
      await fileSystem.lstat(candidate);
      return candidate;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR') || candidate === dirname(candidate)) throw error;
      candidate = dirname(candidate);
    }
  }
}
