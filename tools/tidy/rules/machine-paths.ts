/** No text names a directory of somebody's machine: what works there works nowhere else. */
import type { Finding } from '../../code/finding.ts';
import type { Rule } from '../rule.ts';

const TEXT_FILE = /\.(ts|tsx|md|json|ya?ml|sh|cjs|mjs|html|css|svg|txt)$|^\.ci\//;
/** Written in parts, so that this file is not its own finding. */
const MACHINE_PATH = new RegExp(`(^|[\\s"'\`(=:])/(${['work', 'farm', 'home/[a-z]\\w*', 'Users/\\w+'].join('|')})/\\w`);

export const machinePaths: Rule = {
  name: 'machine-paths',
  check: ({ tree }) =>
    tree.paths
      .filter((path) => TEXT_FILE.test(path) && path !== 'package-lock.json')
      .flatMap((path) =>
        (tree.read(path) ?? '').split('\n').flatMap((line, index): readonly Finding[] => {
          const found = MACHINE_PATH.exec(line);
          if (found === null) return [];
          const message = `names a directory of one machine: ${found[0].trim()}…`;
          return [
            {
              path,
              line: index + 1,
              rule: 'tidy/machine-paths',
              message,
              remedy: 'make it relative, or a temporary directory',
            },
          ];
        }),
      ),
};
