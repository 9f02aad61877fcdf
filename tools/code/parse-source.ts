/** One parsed file. The parser is pinned; the syntax tree is ESTree with TypeScript nodes. */
import { type Comment, type EcmaScriptModule, type Program, parseSync } from 'oxc-parser';
import { isCode, type SourceTree } from './source-tree.ts';

export interface ParsedSource {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly module: EcmaScriptModule;
  readonly comments: readonly Comment[];
  /** 1-based line of an offset into the text. */
  lineAt(offset: number): number;
}

/** Throws with the parser's words when the text is not valid TypeScript. */
export function parseSource(path: string, text: string): ParsedSource {
  const result = parseSync(path, text, { sourceType: 'module' });
  const [error] = result.errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return {
    path,
    text,
    program: result.program,
    module: result.module,
    comments: result.comments,
    lineAt: (offset) => lineOf(starts, offset),
  };
}

/** All code of the tree, parsed. */
export function parseTree(tree: SourceTree): readonly ParsedSource[] {
  return tree.paths.filter(isCode).map((path) => parseSource(path, tree.read(path) ?? ''));
}

function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}
