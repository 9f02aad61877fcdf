/** Writing so that a power cut leaves the old or the new, never a part: write, sync, rename, sync the directory. */
import { basename, dirname, join } from 'node:path';
import type { TargetDeps } from '../target-deps.ts';
import { randomSuffix } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';

/** Makes the names in a directory durable (fsync(2): a file's own sync does not cover its name). */
export async function syncDirectory({ fileSystem }: Pick<TargetDeps, 'fileSystem'>, directory: string): Promise<void> {
  const { O_RDONLY, O_DIRECTORY } = fileSystem.constants;
  const handle = await fileSystem.open(directory, O_RDONLY | O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces or makes `path`. The draft lies in `staging`, on the same disk, where whatever a crash leaves is cleared. */
export async function writeDurably(
  deps: Pick<TargetDeps, 'fileSystem' | 'random'>,
  path: string,
  { text, staging }: { readonly text: string; readonly staging: string },
): Promise<void> {
  const draft = join(staging, `${basename(path)}.${randomSuffix(deps)}.draft`);
  const handle = await deps.fileSystem.open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await deps.fileSystem.rename(draft, path);
  await syncDirectory(deps, dirname(path));
}

/** The text of a small file of our own; null when it is not there. */
export async function readOwnFile(
  { fileSystem }: Pick<TargetDeps, 'fileSystem'>,
  path: string,
): Promise<string | null> {
  try {
    return await fileSystem.readFile(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Names in a directory; none when the directory is not there. */
export async function listNames(
  { fileSystem }: Pick<TargetDeps, 'fileSystem'>,
  directory: string,
): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(directory);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Where a symlink points; null when there is no such name. Throws EINVAL when it is no symlink. */
export async function readLink({ fileSystem }: Pick<TargetDeps, 'fileSystem'>, path: string): Promise<string | null> {
  try {
    return await fileSystem.readlink(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** True when it removed the name, false when it was gone already. */
export async function removeName({ fileSystem }: Pick<TargetDeps, 'fileSystem'>, path: string): Promise<boolean> {
  try {
    await fileSystem.unlink(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Makes a symlink unless the name is taken: one system call, so of several callers one wins. */
export async function claimName(
  { fileSystem }: Pick<TargetDeps, 'fileSystem'>,
  path: string,
  content: string,
): Promise<boolean> {
  try {
    await fileSystem.symlink(content, path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false;
    throw error;
  }
}
