/** How large a file, a function, a parameter list and a nest of blocks may be. */
import type { Node } from 'oxc-parser';
import type { ParsedSource } from '../../code/parse-source.ts';
import { type FunctionNode, isFunction, walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

const FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;
/** A function that renders has its markup in it. */
const JSX_FUNCTION_LINES_MAX = 150;
const PARAMETERS_MAX = 4;
const LEVELS_MAX = 3;

type Report = (at: number, message: string, remedy: string) => void;

export const sizes = makeFileRule('sizes', (source, report) => {
  const lines = source.lineAt(source.text.length) - (source.text.endsWith('\n') ? 1 : 0);
  if (lines > FILE_LINES_MAX) report(0, `${lines} lines, at most ${FILE_LINES_MAX}`, 'split the file by concern');
  walk(source.program, (node, parents) => {
    if (isFunction(node)) checkFunction(source, node, parents, report);
    if (opensLevel(node, parents.at(-1))) {
      const levels = 1 + levelsAround(node, parents);
      if (levels === LEVELS_MAX + 1) {
        report(node.start, `${levels} levels of blocks, at most ${LEVELS_MAX}`, 'move the inner block into a function');
      }
    }
  });
});

function checkFunction(source: ParsedSource, node: FunctionNode, parents: readonly Node[], report: Report): void {
  const lines = source.lineAt(node.end) - source.lineAt(node.start) + 1;
  const limit = hasJsx(node) ? JSX_FUNCTION_LINES_MAX : FUNCTION_LINES_MAX;
  if (lines > limit && !groupsTests(node, parents)) {
    report(
      node.start,
      `a function of ${lines} lines, at most ${limit}`,
      'keep branches and state, move the leaves out',
    );
  }
  if (node.params.length > PARAMETERS_MAX) {
    report(node.start, `${node.params.length} parameters, at most ${PARAMETERS_MAX}`, 'pass one object with names');
  }
}

/** The callback of `describe`, and functions named so, are lists of tests, each with a limit of its own. */
function groupsTests(node: FunctionNode, parents: readonly Node[]): boolean {
  if (node.id?.name.startsWith('describe')) return true;
  const parent = parents.at(-1);
  return parent?.type === 'CallExpression' && leftmostName(parent.callee) === 'describe';
}

/** `describe` of `describe.each(rows)(…)`. */
function leftmostName(node: Node): string | null {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression') return leftmostName(node.object);
  return node.type === 'CallExpression' ? leftmostName(node.callee) : null;
}

function hasJsx(node: Node): boolean {
  let isFound = false;
  walk(node, (inner) => {
    isFound ||= inner.type === 'JSXElement' || inner.type === 'JSXFragment';
  });
  return isFound;
}

const LEVEL_TYPES: ReadonlySet<string> = new Set([
  'IfStatement',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'WhileStatement',
  'DoWhileStatement',
  'SwitchStatement',
]);

/** `else if` continues the level of its `if`; a guard such as `if (x) return;` opens none. */
function opensLevel(node: Node, parent: Node | undefined): boolean {
  if (!LEVEL_TYPES.has(node.type)) return false;
  if (node.type === 'IfStatement' && node.consequent.type !== 'BlockStatement') return false;
  return !(node.type === 'IfStatement' && parent?.type === 'IfStatement' && parent.alternate === node);
}

/** Levels between the node and its function. */
function levelsAround(node: Node, parents: readonly Node[]): number {
  const inside = parents.slice(parents.findLastIndex(isFunction) + 1);
  return inside.filter((parent, index) => parent !== node && opensLevel(parent, inside[index - 1])).length;
}
