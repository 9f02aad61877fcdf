/** `catch` adds context, translates or decides; where it drops an error, a comment says why nothing is lost. */
import type { CatchClause } from 'oxc-parser';
import { walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

export const droppedErrors = makeFileRule('dropped-errors', (source, report) => {
  walk(source.program, (node) => {
    if (node.type !== 'CatchClause' || usesError(node)) return;
    const isExplained = source.comments.some((comment) => comment.start > node.start && comment.end < node.end);
    if (!isExplained) report(node.start, 'an error is dropped', 'use it, throw it on, or say why nothing is lost');
  });
});

/** True when the block names the caught error or throws one of its own, which translates it. */
function usesError(clause: CatchClause): boolean {
  const { param } = clause;
  let isUsed = false;
  walk(clause.body, (node) => {
    if (node.type === 'ThrowStatement') isUsed = true;
    if (node.type === 'Identifier' && param?.type === 'Identifier' && node.name === param.name) isUsed = true;
  });
  return isUsed;
}
