/**
 * SQL by hand: key words in lower case, values as parameters, and a comment on every index, every check across columns
 * and every lock clause, which cost something and must say what for.
 */
import type { Node, TemplateLiteral } from 'oxc-parser';
import type { ParsedSource } from '../../code/parse-source.ts';
import { walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

const STORE = /^packages\/server\/src\/store\//;
const UPPER_CASE = /\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES|CREATE|ALTER|JOIN|ORDER BY|RETURNING)\b/;
const STATEMENT = /\b(select|insert into|update|delete from|create (table|unique|index|function))\b/;

export const sql = makeFileRule('sql', (source, report) => {
  if (!STORE.test(source.path) || source.path.endsWith('.test.ts')) return;
  walk(source.program, (node, parents) => {
    const isText = node.type === 'Literal' && typeof node.value === 'string';
    const text = isText ? node.value : node.type === 'TemplateElement' ? node.value.raw : '';
    if (UPPER_CASE.test(text)) report(node.start, 'SQL key words in upper case', 'write them in lower case');
    if (node.type !== 'TemplateLiteral' || !STATEMENT.test(source.text.slice(node.start, node.end))) return;
    for (const value of isConstant(parents) ? [] : interpolatedValues(node)) {
      report(value.start, `the value ${value.name} is put into the text of a statement`, 'pass it as a parameter $n');
    }
    for (const at of uncommentedCosts(source, node)) {
      report(
        at,
        'an index, check or lock clause without a reason',
        'say in a comment on or above its line what it is for',
      );
    }
  });
});

/** A text built once, from parts that are written in the code: its constant has a name in upper case. */
function isConstant(parents: readonly Node[]): boolean {
  const owner = parents.find((parent) => parent.type === 'VariableDeclarator');
  return owner?.type === 'VariableDeclarator' && owner.id.type === 'Identifier' && /^[A-Z0-9_]+$/.test(owner.id.name);
}

/** Only constants may stand in a statement; their names are in upper case. */
function interpolatedValues(node: TemplateLiteral): readonly { name: string; start: number }[] {
  return node.expressions
    .filter((value) => value.type === 'Identifier' && !/^[A-Z0-9_]+$/.test(value.name))
    .map((value) => ({ name: value.type === 'Identifier' ? value.name : '', start: value.start }));
}

/** A check on one column, in its line, is the column's type and needs no words. */
const COST = /\bcreate (unique )?index\b|^\s*(constraint \w+ )?check \(|\bfor (no key )?update\b|\bfor (key )?share\b/;

/** Offsets of lines with such a clause where neither the line, nor the one above, nor the constant has a comment. */
function uncommentedCosts(source: ParsedSource, node: TemplateLiteral): readonly number[] {
  const isStatementExplained = source.comments.some(
    (comment) => comment.end <= node.start && source.lineAt(node.start) - source.lineAt(comment.end) <= 3,
  );
  const found: number[] = [];
  let at = node.start;
  let above = '';
  for (const line of source.text.slice(node.start, node.end).split('\n')) {
    const isExplained = isStatementExplained || line.includes('--') || above.trim().startsWith('--');
    if (COST.test(line) && !isExplained) found.push(at);
    at += line.length + 1;
    above = line;
  }
  return found;
}
