/** Every script of package.json runs a file that exists. */
import type { Rule } from '../rule.ts';

export const scripts: Rule = {
  name: 'scripts',
  check: ({ tree }) => {
    const text = tree.read('package.json') ?? '{}';
    // Our own file; npm refuses to run one of another shape.
    const content = JSON.parse(text) as { scripts?: Readonly<Record<string, string>> };
    const lines = text.split('\n');
    return Object.entries(content.scripts ?? {}).flatMap(([name, command]) => {
      const files = [...command.matchAll(/(?:^|\s)((?:tools|bench|packages|examples|\.ci)\/\S+)/g)].map(
        (match) => match[1] ?? '',
      );
      return (
        files
          // What is built is not in the tree.
          .filter((file) => !file.includes('/dist/') && !tree.paths.includes(file))
          .map((file) => ({
            path: 'package.json',
            line: lines.findIndex((line) => line.includes(`"${name}":`)) + 1,
            rule: 'tidy/scripts',
            message: `the script "${name}" runs ${file}, which does not exist`,
            remedy: 'write the file or remove the script',
          }))
      );
    });
  },
};
