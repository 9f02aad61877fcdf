/**
 * Writes entries of layers into one directory. Owns the promise that nothing is written outside of it: every parent is a
 * directory that this writer made itself, every name is made exclusively, nothing is opened that was there before.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';
import type { Refuse, UnpackLimits, Whiteout } from './entry-path.ts';
import {
  type DirectoryNode,
  type FileNode,
  findNode,
  IMPLIED_DIRECTORY_MODE,
  makeRoot,
  type TreeNode,
} from './tree-nodes.ts';

/** Without setuid, setgid and sticky bit. */
const PERMISSION_BITS = 0o777;
/** The owner must be able to read, change and remove what he unpacked, also when he is not root. */
const OWNER_DIRECTORY_BITS = 0o700;
const OWNER_FILE_BITS = 0o400;

export interface TreeWriter {
  readonly root: DirectoryNode;
  putDirectory(path: readonly string[], mode: number): Promise<void>;
  putFile(path: readonly string[], mode: number, content: AsyncIterable<Uint8Array>): Promise<void>;
  putSymlink(path: readonly string[], target: string): Promise<void>;
  /** `target` is a path in the tree. */
  putHardLink(path: readonly string[], target: readonly string[]): Promise<void>;
  applyWhiteout(whiteout: Whiteout): Promise<void>;
  /** The entries that follow belong to the next layer. */
  nextLayer(): void;
}

export interface TreeWriterOptions {
  /** Exists and is empty. */
  readonly directory: string;
  readonly limits: UnpackLimits;
  readonly refuse: Refuse;
}

/** Paths must come from `parseEntryPath`. Its calls must not overlap. */
export function makeTreeWriter(deps: TargetDeps, { directory, limits, refuse }: TreeWriterOptions): TreeWriter {
  const { fileSystem } = deps;
  const root = makeRoot();
  let layer = 0;
  let entryCount = 0;

  const onDisk = (path: readonly string[]): string => join(directory, ...path);

  const makeDirectory = async (
    parent: DirectoryNode,
    path: readonly string[],
    mode: number,
  ): Promise<DirectoryNode> => {
    await exclusively(path, refuse, () => fileSystem.mkdir(onDisk(path), OWNER_DIRECTORY_BITS));
    const node: DirectoryNode = { kind: 'directory', mode, layer, children: new Map() };
    parent.children.set(path.at(-1) ?? '', node);
    return node;
  };

  /** The directory that holds `path`, made with all above it where it is missing. */
  const openParent = async (path: readonly string[]): Promise<DirectoryNode> => {
    let parent = root;
    for (let depth = 1; depth < path.length; depth += 1) {
      const child = parent.children.get(path[depth - 1] ?? '');
      if (child && child.kind !== 'directory') throw refuse(path.join('/'), `it leads through a ${child.kind}`);
      if (child) parent = child;
      else {
        countEntry(path);
        parent = await makeDirectory(parent, path.slice(0, depth), IMPLIED_DIRECTORY_MODE);
      }
    }
    return parent;
  };

  const countEntry = (path: readonly string[]): void => {
    entryCount += 1;
    if (entryCount > limits.entryCountMax) {
      throw refuse(path.join('/'), `there are more than ${limits.entryCountMax} entries`);
    }
  };

  const removeNode = async (parent: DirectoryNode, path: readonly string[]): Promise<void> => {
    if (!parent.children.delete(path.at(-1) ?? '')) return;
    await fileSystem.rm(onDisk(path), { recursive: true });
  };

  /** Makes room for a new node, which replaces what was there. */
  const openPlace = async (path: readonly string[]): Promise<(node: TreeNode) => void> => {
    if (path.length === 0) throw refuse('.', 'the root of a layer must be a directory');
    countEntry(path);
    const parent = await openParent(path);
    await removeNode(parent, path);
    return (node) => {
      parent.children.set(path.at(-1) ?? '', node);
    };
  };

  return {
    root,
    async putDirectory(path, mode) {
      const kept = (mode & PERMISSION_BITS) | OWNER_DIRECTORY_BITS;
      // The root's mode is ours: servers of other users read it.
      if (path.length === 0) return;
      const there = findNode(root, path);
      if (there?.kind === 'directory') {
        countEntry(path);
        there.mode = kept;
        there.layer = layer;
        return;
      }
      await openPlace(path);
      await makeDirectory(await openParent(path), path, kept);
    },
    async putFile(path, mode, content) {
      const place = await openPlace(path);
      const kept = (mode & PERMISSION_BITS) | OWNER_FILE_BITS;
      const written = await exclusively(path, refuse, () => writeFile(deps, onDisk(path), kept, content));
      place({ kind: 'file', mode: kept, layer, ...written });
    },
    async putSymlink(path, target) {
      const place = await openPlace(path);
      await exclusively(path, refuse, () => fileSystem.symlink(target, onDisk(path)));
      place({ kind: 'symlink', target, layer });
    },
    async putHardLink(path, target) {
      const node = findNode(root, target);
      if (node?.kind !== 'file')
        throw refuse(path.join('/'), `it links to "${target.join('/')}", which is no file here`);
      if (path.join('/') === target.join('/')) throw refuse(path.join('/'), 'it links to itself');
      const place = await openPlace(path);
      if (findNode(root, target) !== node) throw refuse(path.join('/'), 'it replaces what it links to');
      await exclusively(path, refuse, () => fileSystem.link(onDisk(target), onDisk(path)));
      place({ ...node, layer });
    },
    async applyWhiteout({ kind, path }) {
      countEntry(path);
      const node = findNode(root, path);
      const parent = findNode(root, path.slice(0, -1));
      if (!node || parent?.kind !== 'directory') return;
      if (kind === 'remove' && !holdsLayer(node, layer)) await removeNode(parent, path);
      else if (node.kind === 'directory') await clearBelow(node, path, layer, removeNode);
    },
    nextLayer() {
      layer += 1;
    },
  };
}

/** Does the layer itself have something there? A whiteout hides only what is below its own layer. */
function holdsLayer(node: TreeNode, layer: number): boolean {
  if (node.layer === layer) return true;
  return node.kind === 'directory' && [...node.children.values()].some((child) => holdsLayer(child, layer));
}

async function clearBelow(
  directory: DirectoryNode,
  path: readonly string[],
  layer: number,
  remove: (parent: DirectoryNode, path: readonly string[]) => Promise<void>,
): Promise<void> {
  for (const [name, child] of [...directory.children]) {
    if (!holdsLayer(child, layer)) await remove(directory, [...path, name]);
    else if (child.kind === 'directory') await clearBelow(child, [...path, name], layer, remove);
  }
}

/** A name that is there although the tree does not know it: the disk takes two names for one (case, Unicode form). */
async function exclusively<T>(path: readonly string[], refuse: Refuse, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) throw refuse(path.join('/'), 'its name is the same as another one on this disk');
    throw error;
  }
}

async function writeFile(
  deps: TargetDeps,
  path: string,
  mode: number,
  content: AsyncIterable<Uint8Array>,
): Promise<Pick<FileNode, 'sizeBytes' | 'sha256'>> {
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
