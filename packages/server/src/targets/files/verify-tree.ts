/** Is a tree on disk whole? Found by reading every byte of it, and by looking for what does not belong there. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { CallScope } from '../call-scope.ts';
import type { TargetDeps } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';
import { forEachBounded } from '../../ports/bounded-parallel.ts';
import type { FileIndex, IndexEntry } from './file-index.ts';

/** Files that are read at a time: small ones wait for the disk more than for the hash. */
const CONCURRENCY = 4;
/** Bytes of one read. */
const CHUNK_BYTES = 256 * 1_024;
const MODE_BITS = 0o7777;

type VerifyDeps = Pick<TargetDeps, 'fileSystem'>;

/**
 * Null when the tree is what the index says, to the byte; else the first difference in words, such as
 * `the file "index.html" has other bytes`. An additional file is a difference: it would be served too. Throws
 * `target.interrupted`.
 */
export async function findDifference(
  deps: VerifyDeps,
  directory: string,
  index: FileIndex,
  scope: Pick<CallScope, 'check'>,
): Promise<string | null> {
  const stray = await findStray(deps, directory, index, scope);
  if (stray !== null) return stray;
  let difference: string | null = null;
  await forEachBounded([...index], CONCURRENCY, async ([path, entry]) => {
    if (difference !== null) return;
    scope.check();
    const found = await compareEntry(deps, join(directory, path), entry, scope);
    if (found !== null) difference = `the ${entry.kind} "${path}" ${found}`;
  });
  return difference;
}

/** The first name that the index does not have. */
async function findStray(
  { fileSystem }: VerifyDeps,
  directory: string,
  index: FileIndex,
  scope: Pick<CallScope, 'check'>,
): Promise<string | null> {
  const above = ['', ...[...index].filter(([, entry]) => entry.kind === 'directory').map(([path]) => path)];
  for (const path of above) {
    scope.check();
    const names = await fileSystem.readdir(join(directory, path)).catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
      throw error;
    });
    if (names === null) return path === '' ? 'it is not there' : `the directory "${path}" is missing`;
    const stray = names.map((name) => (path === '' ? name : `${path}/${name}`)).find((one) => !index.has(one));
    if (stray !== undefined) return `"${stray}" does not belong to it`;
  }
  return null;
}

/** Null when it is as it should be. */
async function compareEntry(
  deps: VerifyDeps,
  path: string,
  entry: IndexEntry,
  scope: Pick<CallScope, 'check'>,
): Promise<string | null> {
  try {
    const status = await deps.fileSystem.lstat(path);
    if (entry.kind === 'symlink') {
      if (!status.isSymbolicLink()) return 'is something else';
      return (await deps.fileSystem.readlink(path)) === entry.target ? null : 'points elsewhere';
    }
    if (entry.kind === 'directory' ? !status.isDirectory() : !status.isFile()) return 'is something else';
    if ((status.mode & MODE_BITS) !== entry.mode) return `has the mode ${(status.mode & MODE_BITS).toString(8)}`;
    if (entry.kind === 'directory') return null;
    if (status.size !== entry.size) return `has ${status.size} bytes instead of ${entry.size}`;
    return (await hashFile(deps, path, scope)) === entry.sha256 ? null : 'has other bytes';
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return 'is missing';
    // What took its place meanwhile is a link.
    if (hasErrno(error, 'ELOOP')) return 'is something else';
    if (hasErrno(error, 'EACCES', 'EPERM', 'EIO')) return 'cannot be read';
    throw error;
  }
}

async function hashFile({ fileSystem }: VerifyDeps, path: string, scope: Pick<CallScope, 'check'>): Promise<string> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fileSystem.constants;
  const handle = await fileSystem.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    // Ends at the end of the file, or with the call.
    for (;;) {
      scope.check();
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
