/**
 * What a whole tree of one digest looks like: every file with hash, size and mode, every directory, every symlink. Made
 * while the layers were unpacked, so from verified bytes; what runs is compared with it, never with itself.
 */
import { join } from 'node:path';
import type { Digest } from '@stella/domain';
import type { TargetDeps } from '../target-deps.ts';
import { readOwnFile, writeDurably } from './durable-files.ts';
import type { FilesPlace, ReleaseName } from './files-place.ts';
import { type DirectoryNode, walkTree } from './tree-nodes.ts';

export type IndexEntry =
  | { readonly kind: 'file'; readonly sha256: string; readonly size: number; readonly mode: number }
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string };

/** Path (`www/index.html`) → entry; the root itself is not in it. */
export type FileIndex = ReadonlyMap<string, IndexEntry>;

/** Raised when the shape changes; an index of another version is as good as none. */
const INDEX_VERSION = 1;

export function indexOfTree(root: DirectoryNode): FileIndex {
  const index = new Map<string, IndexEntry>();
  for (const { path, node } of walkTree(root)) {
    if (node.kind === 'file') {
      index.set(path, { kind: 'file', sha256: node.sha256, size: node.sizeBytes, mode: node.mode });
    } else if (node.kind === 'directory') index.set(path, { kind: 'directory', mode: node.mode });
    else index.set(path, { kind: 'symlink', target: node.target });
  }
  return index;
}

/** Written before the tree gets its name in `releases/`, so that no tree there is without. */
export async function writeIndex(
  deps: TargetDeps,
  place: FilesPlace,
  name: ReleaseName,
  index: FileIndex,
): Promise<void> {
  const entries = [...index].map(([path, entry]) => ({ path, ...entry }));
  const text = `${JSON.stringify({ version: INDEX_VERSION, digest: name.digest, entries })}\n`;
  await writeDurably(deps, indexPath(place, name), { text, staging: place.staging });
}

/** Null when there is none that can be read. */
export async function readIndex(
  deps: Pick<TargetDeps, 'fileSystem'>,
  place: FilesPlace,
  name: ReleaseName,
): Promise<FileIndex | null> {
  const text = await readOwnFile(deps, indexPath(place, name));
  return text === null ? null : parseIndex(text, name.digest);
}

export function indexPath(place: FilesPlace, name: ReleaseName): string {
  return join(place.indexes, `${name.text}${INDEX_SUFFIX}`);
}

export const INDEX_SUFFIX = '.json';

/** Our own JSON, read field by field; null for anything else. */
export function parseIndex(text: string, digest: Digest): FileIndex | null {
  let value: { readonly version?: unknown; readonly digest?: unknown; readonly entries?: unknown } | null;
  try {
    // Read field by field below.
    value = JSON.parse(text) as typeof value;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (value?.version !== INDEX_VERSION || value.digest !== digest || !Array.isArray(value.entries)) return null;
  const index = new Map<string, IndexEntry>();
  // Of unknown items; each is looked at.
  for (const item of value.entries as readonly unknown[]) {
    // Read field by field below.
    const { path, ...fields } = (item ?? {}) as Readonly<Record<string, unknown>>;
    const entry = parseEntry(fields);
    if (typeof path !== 'string' || !entry) return null;
    index.set(path, entry);
  }
  return index;
}

function parseEntry({ kind, sha256, size, mode, target }: Readonly<Record<string, unknown>>): IndexEntry | null {
  if (kind === 'symlink' && typeof target === 'string') return { kind, target };
  if (typeof mode !== 'number') return null;
  if (kind === 'directory') return { kind, mode };
  if (kind !== 'file' || typeof sha256 !== 'string' || typeof size !== 'number') return null;
  return { kind, sha256, size, mode };
}
