/**
 * Reads plain files below one directory and nothing else. Owns the checks that keep a path inside: of the directory in
 * the allowed roots, and of each file in the directory, both by real paths, so after all symlinks.
 */
import { join } from 'node:path';
import { AppError, formatSource } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';
import { isWithin, isWithinAny } from '../ports/within.ts';

export type FileHandle = Awaited<ReturnType<FileSystem['open']>>;

export interface ConfinedDirectory {
  /** `path` is relative, without `..`. Throws `registry.directory_forbidden` and whatever `openFile` throws. */
  readFile(path: string, bytesMax: number): Promise<Uint8Array | 'missing' | 'too_large'>;
  /** Null when there is none. The caller closes it. Throws `registry.denied`, `registry.unreachable`. */
  openFile(path: string): Promise<FileHandle | null>;
}

/** Throws `registry.directory_forbidden`, `registry.denied`, `registry.unreachable`. */
export async function confineDirectory(
  directory: string,
  { fileSystem, layoutRoots }: { readonly fileSystem: FileSystem; readonly layoutRoots: readonly string[] },
): Promise<ConfinedDirectory> {
  const name = formatSource({ kind: 'oci-layout', directory });
  const realRoots = await realPaths(fileSystem, layoutRoots);
  // By the written path first, so that nobody learns from the error what exists elsewhere.
  if (!isWithinAny(directory, [...layoutRoots, ...realRoots])) throw forbidden(directory);
  const root = await fileSystem.realpath(directory).catch((error: unknown) => {
    throw translate(error, name, 'there is no such directory');
  });
  if (!isWithinAny(root, realRoots)) throw forbidden(directory);

  const openFile = async (path: string): Promise<FileHandle | null> => {
    try {
      const real = await fileSystem.realpath(join(root, path));
      if (!isWithin(real, root)) throw forbidden(join(directory, path));
      const handle = await openPlainFile(fileSystem, real);
      if (!handle) throw unreachable(name, `"${path}" is not a plain file`);
      return handle;
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (isMissing(error)) return null;
      throw translate(error, name, '');
    }
  };
  const readFile: ConfinedDirectory['readFile'] = async (path, bytesMax) => {
    const handle = await openFile(path);
    if (!handle) return 'missing';
    try {
      return await readAtMost(handle, bytesMax);
    } catch (error) {
      throw translate(error, name, '');
    } finally {
      await handle.close();
    }
  };
  return { openFile, readFile };
}

/** Without waiting for a pipe's other end and without following a link that was put there meanwhile. Null: not plain. */
async function openPlainFile(fileSystem: FileSystem, real: string): Promise<FileHandle | null> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fileSystem.constants;
  const handle = await fileSystem.open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const status = await handle.stat();
  if (status.isFile()) return handle;
  await handle.close();
  return null;
}

async function readAtMost(handle: FileHandle, bytesMax: number): Promise<Uint8Array | 'too_large'> {
  const { size } = await handle.stat();
  if (size > bytesMax) return 'too_large';
  const buffer = Buffer.alloc(size);
  let filledBytes = 0;
  while (filledBytes < size) {
    const { bytesRead } = await handle.read(buffer, filledBytes, size - filledBytes, filledBytes);
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return buffer.subarray(0, filledBytes);
}

/** Roots that do not exist allow nothing. */
async function realPaths(fileSystem: FileSystem, paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map((path) => fileSystem.realpath(path).catch(() => null)));
  return found.filter((path) => path !== null);
}

function isMissing(error: unknown): boolean {
  // Node's own errors have a code; another value has none.
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** The error of a file system call → ours; `missingMessage` says what is not there. */
function translate(error: unknown, name: string, missingMessage: string): AppError {
  // Likewise.
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    return new AppError('registry.denied', {
      details: { registry: name, repository: name },
      hint: "let the server's user read the directory and its files",
      cause: error,
    });
  }
  return unreachable(name, isMissing(error) ? missingMessage : (code ?? message), error);
}

function forbidden(directory: string): AppError {
  return new AppError('registry.directory_forbidden', { details: { directory } });
}

function unreachable(name: string, message: string, cause?: unknown): AppError {
  return new AppError('registry.unreachable', { details: { registry: name, message }, cause });
}
