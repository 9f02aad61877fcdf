/** Names of files, folders and types: kebab-case, named for what they own, without words that say nothing. */
import { isCode } from '../../code/source-tree.ts';
import type { Finding } from '../../code/finding.ts';
import type { Rule, Workspace } from '../rule.ts';

const EMPTY_WORDS: ReadonlySet<string> = new Set([
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'shared',
  'misc',
  'manager',
  'service',
  'base',
  'impl',
]);

/** Names that the product itself gives. */
const PRODUCT_NAMES: ReadonlySet<string> = new Set([
  // The noun of `stella service restart orchestrator`.
  'service',
  // The service that a gate asks, as in `stella orch gate-services status`.
  'gate-service',
]);

const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.(ts|tsx|mts|cts)$/;
const EMPTY_TYPE = /(Utils?|Helpers?|Manager|Service|Impl)$|^(Base|Abstract)[A-Z]/;

export const fileNames: Rule = {
  name: 'file-names',
  check: (workspace) => [...checkPaths(workspace), ...checkTypes(workspace)],
};

function checkPaths({ tree }: Workspace): readonly Finding[] {
  const findings: Finding[] = [];
  for (const path of tree.paths.filter(isCode)) {
    const report = (message: string, remedy: string): void => {
      findings.push({ path, line: 1, rule: 'tidy/file-names', message, remedy });
    };
    const parts = path.split('/');
    if (!KEBAB_CASE.test(parts.at(-1) ?? '')) report('the file name is not kebab-case', 'name it for its main export');
    for (const part of parts.map((text) => text.split('.')[0] ?? '')) {
      if (isEmptyName(part)) report(`"${part}" says nothing about its content`, 'name it for what it owns');
    }
  }
  return findings;
}

/** True when the whole name or its last word is an empty one, or it begins with `base-`. */
function isEmptyName(name: string): boolean {
  if (PRODUCT_NAMES.has(name)) return false;
  return EMPTY_WORDS.has(name.split('-').at(-1) ?? '') || name.startsWith('base-');
}

function checkTypes({ sources }: Workspace): readonly Finding[] {
  return sources.flatMap((source) =>
    source.program.body.flatMap((statement) => {
      const declared = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
      const isType =
        declared?.type === 'TSInterfaceDeclaration' ||
        declared?.type === 'TSTypeAliasDeclaration' ||
        declared?.type === 'ClassDeclaration';
      const name = isType ? declared.id?.name : undefined;
      if (name === undefined || !EMPTY_TYPE.test(name)) return [];
      return [
        {
          path: source.path,
          line: source.lineAt(statement.start),
          rule: 'tidy/file-names',
          message: `the type name "${name}" says nothing about what it is`,
          remedy: 'take the noun of the domain',
        },
      ];
    }),
  );
}
