/** Figures that tidy shows without judging: they are for a reader who decides. */
import { isTest } from '../code/source-tree.ts';
import type { Workspace } from './rule.ts';

/** From here on a file is named; at 600 it fails. */
const LONG_FILE_LINES = 400;

export function longFiles({ sources }: Workspace): readonly string[] {
  return sources
    .map((source) => ({ path: source.path, lines: source.lineAt(source.text.length) - 1 }))
    .filter(({ lines }) => lines > LONG_FILE_LINES)
    .map(({ path, lines }) => `${path} grows long: ${lines} lines, 600 fail`);
}

/** `comments: domain 12 %, server 14 %`; the aim is 10 to 20. */
export function commentShares({ sources }: Workspace): readonly string[] {
  const counts = new Map<string, { all: number; commented: number }>();
  for (const source of sources.filter(({ path }) => path.startsWith('packages/') && !isTest(path))) {
    const name = source.path.split('/')[1] ?? '';
    const sum = counts.get(name) ?? { all: 0, commented: 0 };
    const commented = source.comments.map((comment) => source.lineAt(comment.end) - source.lineAt(comment.start) + 1);
    counts.set(name, {
      all: sum.all + source.lineAt(source.text.length) - 1,
      commented: sum.commented + commented.reduce((total, lines) => total + lines, 0),
    });
  }
  const shares = [...counts].map(([name, { all, commented }]) => `${name} ${Math.round((100 * commented) / all)} %`);
  return shares.length === 0 ? [] : [`comments: ${shares.join(', ')}`];
}
