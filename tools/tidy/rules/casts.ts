/** A type assertion overrules the compiler, so a comment must say why it is right. `as const` asserts nothing. */
import type { Node, TSType } from 'oxc-parser';
import type { ParsedSource } from '../../code/parse-source.ts';
import { isTest } from '../../code/source-tree.ts';
import { walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

export const casts = makeFileRule('casts', (source, report) => {
  if (isTest(source.path)) return;
  walk(source.program, (node, parents) => {
    if (node.type !== 'TSAsExpression' && node.type !== 'TSTypeAssertion') return;
    if (isHarmless(node.typeAnnotation) || hasReason(source, node, parents)) return;
    report(node.start, 'a type assertion without a reason', 'parse the value, or say in a comment why the type holds');
  });
});

/** `as const`, `as unknown`, and the widening `as readonly string[]` for a question such as `includes`. */
function isHarmless(type: TSType): boolean {
  if (type.type === 'TSUnknownKeyword') return true;
  if (type.type === 'TSTypeReference') return type.typeName.type === 'Identifier' && type.typeName.name === 'const';
  const list = type.type === 'TSTypeOperator' ? type.typeAnnotation : type;
  return list.type === 'TSArrayType' && list.elementType.type === 'TSStringKeyword';
}

/**
 * The opening comment of the file speaks of its type assertions, or a comment stands inside of or directly above the enclosing statement or member, no later than
 * the line of the assertion.
 */
function hasReason(source: ParsedSource, node: Node, parents: readonly Node[]): boolean {
  const owner =
    parents.findLast((parent) => parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition') ??
    parents[1] ??
    node;
  const line = source.lineAt(node.end);
  const [opening] = source.comments;
  if (opening?.value.includes('type assertion')) return true;
  return source.comments.some((comment) => {
    const isInside = comment.start >= owner.start && source.lineAt(comment.start) <= line;
    const isAbove = comment.end <= owner.start && source.text.slice(comment.end, owner.start).trim() === '';
    return isAbove || isInside;
  });
}
