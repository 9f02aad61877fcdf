/**
 * What has been unpacked so far, in memory. It answers where a path leads without asking the disk, so no symlink on the
 * disk is ever followed by an unpack. Pure but for changing the tree that it is given.
 */
export interface DirectoryNode {
  readonly kind: 'directory';
  mode: number;
  /** Number of the layer that last wrote it, from 0. */
  layer: number;
  readonly children: Map<string, TreeNode>;
}

export interface FileNode {
  readonly kind: 'file';
  readonly mode: number;
  readonly layer: number;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Where its bytes begin in a spool; absent when they lie on a disk under its name. */
  readonly spooledAt?: number;
}

export interface SymlinkNode {
  readonly kind: 'symlink';
  readonly layer: number;
  readonly target: string;
}

export type TreeNode = DirectoryNode | FileNode | SymlinkNode;

/** Mode of directories that no entry describes. */
export const IMPLIED_DIRECTORY_MODE = 0o755;

export function makeRoot(): DirectoryNode {
  return { kind: 'directory', mode: IMPLIED_DIRECTORY_MODE, layer: 0, children: new Map() };
}

/** The node at a path; a symlink on the way is not followed but ends the search. */
export function findNode(root: DirectoryNode, path: readonly string[]): TreeNode | null {
  let node: TreeNode = root;
  for (const segment of path) {
    if (node.kind !== 'directory') return null;
    const child = node.children.get(segment);
    if (!child) return null;
    node = child;
  }
  return node;
}

export interface TreeEntry {
  /** `www/index.html`. */
  readonly path: string;
  readonly node: TreeNode;
}

/** Everything below the root, each directory before what it holds. */
export function* walkTree(root: DirectoryNode, above = ''): Generator<TreeEntry> {
  for (const [name, node] of root.children) {
    const path = above === '' ? name : `${above}/${name}`;
    yield { path, node };
    if (node.kind === 'directory') yield* walkTree(node, path);
  }
}

/** Links that one path may pass; Linux stops at 40 too (path_resolution(7)). */
const LINK_HOPS_MAX = 40;

/**
 * Why a symlink must not be there; null when it and all that it leads through stay inside. What does not exist is
 * passed like a directory: a later file there could not lead further out than its path says.
 */
export function findEscape(root: DirectoryNode, linkPath: string): string | null {
  const place: string[] = [];
  const rest = linkPath.split('/');
  let hopCount = 0;
  for (let segment = rest.shift(); segment !== undefined; segment = rest.shift()) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') {
      if (place.pop() === undefined) return 'it leads out of the tree';
      continue;
    }
    const node = findNode(root, [...place, segment]);
    if (node?.kind !== 'symlink') {
      place.push(segment);
      continue;
    }
    hopCount += 1;
    if (hopCount > LINK_HOPS_MAX) return 'it leads through too many symlinks, or in a circle';
    if (node.target.startsWith('/')) return 'its symlink target is absolute';
    rest.unshift(...node.target.split('/'));
  }
  return null;
}
