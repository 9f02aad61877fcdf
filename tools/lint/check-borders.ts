/** All borders over a whole tree, with how much was looked at, so that a check of nothing cannot pass. */
import { WORKSPACES } from '../borders.ts';
import type { Finding } from '../code/finding.ts';
import { parseTree } from '../code/parse-source.ts';
import type { SourceTree } from '../code/source-tree.ts';
import { checkGlobals } from './check-globals.ts';
import { checkImports } from './check-imports.ts';
import { readImports } from './read-imports.ts';

export interface BorderReport {
  readonly findings: readonly Finding[];
  readonly fileCount: number;
  readonly importCount: number;
}

export function checkBorders(tree: SourceTree): BorderReport {
  const sources = parseTree(tree);
  return {
    findings: [
      ...sources.flatMap((source) => [...checkImports(source), ...checkGlobals(source)]),
      ...checkWorkspaces(tree),
    ],
    fileCount: sources.length,
    importCount: sources.reduce((sum, source) => sum + readImports(source).length, 0),
  };
}

/** Every public face that a package.json exports is in the table, or its imports would go unchecked. */
function checkWorkspaces(tree: SourceTree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const path of tree.paths.filter((candidate) => /^packages\/[^/]+\/package\.json$/.test(candidate))) {
    const folder = path.slice(0, -'package.json'.length);
    for (const [face, file] of exportsOf(tree.read(path) ?? '{}')) {
      if (WORKSPACES[face] === `${folder}${file}`) continue;
      findings.push({
        path,
        line: 1,
        rule: 'border/workspace',
        message: `the public face "${face}" is not in the table of borders as ${folder}${file}`,
        remedy: 'enter it in WORKSPACES of tools/borders.ts',
      });
    }
  }
  return findings;
}

/** `[['@stella/contract/client', 'src/client-entry.ts']]`. */
function exportsOf(text: string): readonly (readonly [string, string])[] {
  // A package.json of our own: npm has checked its shape, and a wrong one finds no entry in the table.
  const content = JSON.parse(text) as { name?: string; exports?: Readonly<Record<string, string>> };
  return Object.entries(content.exports ?? {}).map(([face, file]) => [
    `${content.name}${face.slice(1)}`,
    file.replace(/^\.\//, ''),
  ]);
}
