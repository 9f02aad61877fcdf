/** Generated pages are as `npm run gen` would write them now. */
import { renderPages } from '../../gen/pages.ts';
import type { Rule } from '../rule.ts';

export const generated: Rule = {
  name: 'generated',
  check: ({ tree }) =>
    [...renderPages(tree)]
      .filter(([path, text]) => tree.read(path) !== text)
      .map(([path]) => ({
        path,
        line: 1,
        rule: 'tidy/generated',
        message: tree.read(path) === null ? 'a generated page is missing' : 'a generated page is stale',
        remedy: 'run: npm run gen',
      })),
};
