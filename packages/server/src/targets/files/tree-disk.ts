/**
 * Where the entries of a tree are put while its layers are unpacked: a directory of this machine, or a spool that keeps the
 * bytes until they are sent to a host. Both make names exclusively and open nothing that was there before.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import type { FileNode } from './tree-nodes.ts';

export type TreePath = readonly string[];
export type WrittenFile = Omit<FileNode, 'kind' | 'mode' | 'layer'>;

/** Paths are below the root of the tree, which is there. Calls do not overlap. */
export interface TreeDisk {
  /** Its mode comes at the end, when nothing is put into it any more. */
  makeDirectory(path: TreePath): Promise<void>;
  writeFile(path: TreePath, mode: number, content: AsyncIterable<Uint8Array>): Promise<WrittenFile>;
  makeSymlink(path: TreePath, target: string): Promise<void>;
  /** Another name of the file at `target`. */
  makeLink(path: TreePath, target: TreePath): Promise<void>;
  /** With all that is below it. */
  remove(path: TreePath): Promise<void>;
}

/** Until its real mode is set only its owner looks into it. */
const NEW_DIRECTORY_MODE = 0o700;

/** `directory` exists and is empty. */
export function makeDirectoryDisk(deps: TargetDeps, directory: string): TreeDisk {
  const { fileSystem } = deps;
  const onDisk = (path: TreePath): string => join(directory, ...path);
  return {
    makeDirectory: (path) => fileSystem.mkdir(onDisk(path), NEW_DIRECTORY_MODE),
    writeFile: (path, mode, content) => writeFile(deps, onDisk(path), mode, content),
    makeSymlink: (path, target) => fileSystem.symlink(target, onDisk(path)),
    makeLink: (path, target) => fileSystem.link(onDisk(target), onDisk(path)),
    remove: (path) => fileSystem.rm(onDisk(path), { recursive: true }),
  };
}

async function writeFile(
  deps: TargetDeps,
  path: string,
  mode: number,
  content: AsyncIterable<Uint8Array>,
): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const handle = await deps.fileSystem.open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      await handle.writeFile(chunk);
    }
    // After the writing, and not subject to the umask.
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
  await hitFault(deps, 'target.files.file_written');
  return { sizeBytes, sha256: hash.digest('hex') };
}
