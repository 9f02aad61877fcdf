/**
 * What a whole tree looks like, as `host-script.ts` lists it: a record for each name with kind, mode and size or target, one
 * for the hash of each file, in the order of their bytes. Made of verified bytes, kept on the host, compared there. Pure.
 */
import { type DirectoryNode, walkTree } from './tree-nodes.ts';

/** Characters of a name that a message shows. */
const SHOWN_LENGTH_MAX = 200;
/** The script's last record: nothing is missing. */
const END = '.';
/** comm(1) puts it before what only the tree has. */
const FOUND = '\t';

/** NUL after each, which no name holds. */
export function recordsOfTree(root: DirectoryNode): Buffer {
  const records: Buffer[] = [];
  const add = (text: string): void => void records.push(Buffer.from(`${text}\0`));
  for (const { path, node } of walkTree(root)) {
    // A name ends at the first "//", which none holds: what a link says may hold anything.
    if (node.kind === 'symlink') add(`l ./${path}//${node.target}`);
    else if (node.kind === 'directory') add(`d ${node.mode.toString(8)} ./${path}`);
    else {
      add(`f ${node.mode.toString(8)} ${node.sizeBytes} ./${path}`);
      add(`${node.sha256}  ./${path}`);
    }
  }
  return Buffer.concat(records.sort((a, b) => Buffer.compare(a, b)));
}

export type Difference =
  | { readonly kind: 'known' /** Null: there is none. */; readonly words: string | null }
  /** The comparison did not come to its end. */
  | { readonly kind: 'unknown' };

/** The first difference in words, such as `"index.html" was changed`. */
export function differenceIn(answer: string): Difference {
  const records = answer.split('\0').filter((record) => record !== '');
  const differing = records.filter((record) => record !== END);
  const [first] = differing;
  if (first === undefined) return records.length > 0 ? { kind: 'known', words: null } : { kind: 'unknown' };
  const path = pathOf(first);
  const of = differing.filter((record) => pathOf(record) === path);
  const isKept = of.some((record) => !record.startsWith(FOUND));
  const isFound = of.some((record) => record.startsWith(FOUND));
  const shown = path.slice(0, SHOWN_LENGTH_MAX).replace(/[^\x20-\x7e\u00a0-\ufffc]/g, '?');
  if (!isKept) return { kind: 'known', words: `"${shown}" does not belong to it` };
  return { kind: 'known', words: `"${shown}" ${isFound ? 'was changed' : 'is missing or cannot be read'}` };
}

function pathOf(record: string): string {
  const match = /^\t?(?:(l )|f \d+ \d+ |d \d+ |x . |[0-9a-f]{64} {2})\.\/(.*)$/s.exec(record);
  const path = match?.[2] ?? record;
  return match?.[1] === undefined ? path : (path.split('//')[0] ?? path);
}
