/** A file says what it owns before its code begins. */
import { isTest } from '../../code/source-tree.ts';
import { makeFileRule } from '../rule.ts';

/** A shorter file is one declaration, whose own comment is enough. */
const LINES_WITHOUT_COMMENT_MAX = 30;

export const fileComments = makeFileRule('file-comments', (source, report) => {
  const isShort = source.lineAt(source.text.length) <= LINES_WITHOUT_COMMENT_MAX;
  const isFace = source.path.endsWith('/index.ts');
  if (isShort || isFace || isTest(source.path) || /^(#!.*\n)?\s*\/[*/]/.test(source.text)) return;
  report(0, 'the file does not say what it owns', 'begin it with a comment: what it owns, relies on, guarantees');
});
