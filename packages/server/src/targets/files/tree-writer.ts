/**
 * Writes entries of layers into one tree. Owns the promise that nothing is written outside of it: every parent is a
 * directory that this writer made itself, and `tree-disk.ts` makes every name exclusively.
 */
import { hasErrno } from '../target-errors.ts';
import type { Refuse, UnpackLimits, Whiteout } from './entry-path.ts';
import type { TreeDisk } from './tree-disk.ts';
import { type DirectoryNode, findNode, IMPLIED_DIRECTORY_MODE, makeRoot, type TreeNode } from './tree-nodes.ts';

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
  /** Empty. */
  readonly disk: TreeDisk;
  readonly limits: UnpackLimits;
  readonly refuse: Refuse;
}

/** Paths must come from `parseEntryPath`. Its calls must not overlap. */
export function makeTreeWriter(options: TreeWriterOptions): TreeWriter {
  return new DiskTree(options);
}

/** The tree in memory and on the disk, entry by entry the same. */
class DiskTree implements TreeWriter {
  readonly root: DirectoryNode = makeRoot();
  readonly #disk: TreeDisk;
  readonly #options: TreeWriterOptions;
  #layer = 0;
  #entryCount = 0;

  constructor(options: TreeWriterOptions) {
    this.#disk = options.disk;
    this.#options = options;
  }

  async putDirectory(path: readonly string[], mode: number): Promise<void> {
    const kept = (mode & PERMISSION_BITS) | OWNER_DIRECTORY_BITS;
    // The root's mode is ours: servers of other users read it.
    if (path.length === 0) return;
    const there = findNode(this.root, path);
    if (there?.kind === 'directory') {
      this.#countEntry(path);
      there.mode = kept;
      there.layer = this.#layer;
      return;
    }
    await this.#openPlace(path);
    await this.#makeDirectory(await this.#openParent(path), path, kept);
  }

  async putFile(path: readonly string[], mode: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const place = await this.#openPlace(path);
    const kept = (mode & PERMISSION_BITS) | OWNER_FILE_BITS;
    const written = await this.#exclusively(path, () => this.#disk.writeFile(path, kept, content));
    place({ kind: 'file', mode: kept, layer: this.#layer, ...written });
  }

  async putSymlink(path: readonly string[], target: string): Promise<void> {
    const place = await this.#openPlace(path);
    await this.#exclusively(path, () => this.#disk.makeSymlink(path, target));
    place({ kind: 'symlink', target, layer: this.#layer });
  }

  async putHardLink(path: readonly string[], target: readonly string[]): Promise<void> {
    const { refuse } = this.#options;
    const node = findNode(this.root, target);
    const name = path.join('/');
    if (node?.kind !== 'file') throw refuse(name, `it links to "${target.join('/')}", which is no file here`);
    if (name === target.join('/')) throw refuse(name, 'it links to itself');
    const place = await this.#openPlace(path);
    if (findNode(this.root, target) !== node) throw refuse(name, 'it replaces what it links to');
    await this.#exclusively(path, () => this.#disk.makeLink(path, target));
    place({ ...node, layer: this.#layer });
  }

  async applyWhiteout({ kind, path }: Whiteout): Promise<void> {
    this.#countEntry(path);
    const node = findNode(this.root, path);
    const parent = findNode(this.root, path.slice(0, -1));
    if (!node || parent?.kind !== 'directory') return;
    if (kind === 'remove' && !holdsLayer(node, this.#layer)) await this.#removeNode(parent, path);
    else if (node.kind === 'directory') await this.#clearBelow(node, path);
  }

  nextLayer(): void {
    this.#layer += 1;
  }

  #countEntry(path: readonly string[]): void {
    const { limits, refuse } = this.#options;
    this.#entryCount += 1;
    if (this.#entryCount > limits.entryCountMax) {
      throw refuse(path.join('/'), `there are more than ${limits.entryCountMax} entries`);
    }
  }

  async #makeDirectory(parent: DirectoryNode, path: readonly string[], mode: number): Promise<DirectoryNode> {
    await this.#exclusively(path, () => this.#disk.makeDirectory(path));
    const node: DirectoryNode = { kind: 'directory', mode, layer: this.#layer, children: new Map() };
    parent.children.set(path.at(-1) ?? '', node);
    return node;
  }

  /** The directory that holds `path`, made with all above it where it is missing. */
  async #openParent(path: readonly string[]): Promise<DirectoryNode> {
    let parent = this.root;
    for (let depth = 1; depth < path.length; depth += 1) {
      const child = parent.children.get(path[depth - 1] ?? '');
      if (child && child.kind !== 'directory') {
        throw this.#options.refuse(path.join('/'), `it leads through a ${child.kind}`);
      }
      if (child) parent = child;
      else {
        this.#countEntry(path);
        parent = await this.#makeDirectory(parent, path.slice(0, depth), IMPLIED_DIRECTORY_MODE);
      }
    }
    return parent;
  }

  /** Makes room for a new node, which replaces what was there. */
  async #openPlace(path: readonly string[]): Promise<(node: TreeNode) => void> {
    if (path.length === 0) throw this.#options.refuse('.', 'the root of a layer must be a directory');
    this.#countEntry(path);
    const parent = await this.#openParent(path);
    await this.#removeNode(parent, path);
    return (node) => {
      parent.children.set(path.at(-1) ?? '', node);
    };
  }

  async #removeNode(parent: DirectoryNode, path: readonly string[]): Promise<void> {
    if (!parent.children.delete(path.at(-1) ?? '')) return;
    await this.#disk.remove(path);
  }

  /** Removes what is below a directory and not of the layer that is being written. */
  async #clearBelow(directory: DirectoryNode, path: readonly string[]): Promise<void> {
    for (const [name, child] of Array.from(directory.children)) {
      const childPath = [...path, name];
      if (!holdsLayer(child, this.#layer)) await this.#removeNode(directory, childPath);
      else if (child.kind === 'directory') await this.#clearBelow(child, childPath);
    }
  }

  /** A name that is there although the tree does not know it: the disk takes two names for one (case, Unicode form). */
  async #exclusively<T>(path: readonly string[], make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      throw this.#options.refuse(path.join('/'), 'its name is the same as another one on this disk');
    }
  }
}

/** Does the layer itself have something there? A whiteout hides only what is below its own layer. */
function holdsLayer(node: TreeNode, layer: number): boolean {
  if (node.layer === layer) return true;
  return node.kind === 'directory' && [...node.children.values()].some((child) => holdsLayer(child, layer));
}
