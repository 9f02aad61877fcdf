/** A loop without a condition says in a comment what ends it. */
import { walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

export const endlessLoops = makeFileRule('endless-loops', (source, report) => {
  walk(source.program, (node) => {
    const isEndless =
      (node.type === 'WhileStatement' && node.test.type === 'Literal') ||
      (node.type === 'ForStatement' && node.test === null);
    if (!isEndless) return;
    const line = source.lineAt(node.start);
    const isExplained = source.comments.some((comment) => {
      const end = source.lineAt(comment.end);
      return end === line - 1 || source.lineAt(comment.start) === line || source.lineAt(comment.start) === line + 1;
    });
    if (!isExplained) report(node.start, 'a loop without a condition', 'give it a named limit, or say what ends it');
  });
});
