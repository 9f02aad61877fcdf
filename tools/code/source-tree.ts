/** Reads the files of a work tree once, so that every rule sees the same text and tests can plant a tree of their own. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Folders that hold nothing written by us. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git', 'coverage', '.stella']);
/** Above this a file is data, not something to read: 2 MiB is ten times our largest text. */
const FILE_BYTES_MAX = 2 * 1024 * 1024;
/** A tree with more files than this is not ours: ours has a few hundred. */
const FILE_COUNT_MAX = 20_000;

export interface SourceTree {
  /** Absolute path of the root. */
  readonly root: string;
  /** Paths from the root with forward slashes, sorted. */
  readonly paths: readonly string[];
  /** Text of a file, null when the tree has no such file or it is larger than 2 MiB. */
  readonly read: (path: string) => string | null;
}

/** Reads the tree at `root`. Throws when it holds more than 20,000 files. */
export function readSourceTree(root: string): SourceTree {
  const paths: string[] = [];
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) pending.push(path);
      if (entry.isFile()) paths.push(path);
    }
    if (paths.length > FILE_COUNT_MAX) throw new Error(`${root} holds more than ${FILE_COUNT_MAX} files`);
  }
  const known = new Set(paths);
  const texts = new Map<string, string>();
  return {
    root,
    paths: paths.toSorted(),
    read: (path) => {
      if (!known.has(path)) return null;
      const kept = texts.get(path);
      if (kept !== undefined) return kept;
      if (statSync(join(root, path)).size > FILE_BYTES_MAX) return null;
      const text = readFileSync(join(root, path), 'utf8');
      texts.set(path, text);
      return text;
    },
  };
}

/** A tree that exists in memory only, for tests of rules. */
export function treeOf(files: Readonly<Record<string, string>>): SourceTree {
  return { root: '/nowhere', paths: Object.keys(files).toSorted(), read: (path) => files[path] ?? null };
}

export function isCode(path: string): boolean {
  return /\.(ts|tsx|mts|cts)$/.test(path) && !path.endsWith('.d.ts');
}

/** Test files, and what stands beside them for their use only. */
export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path) || /^(packages\/[^/]+\/)?test\//.test(path);
}
