/**
 * Dependencies: exact versions, each with its reason in the table of CONTRIBUTING.md, each used, and each import of
 * code declared where it is made.
 */
import type { Finding } from '../../code/finding.ts';
import { readImports } from '../../lint/read-imports.ts';
import { isTest } from '../../code/source-tree.ts';
import type { Rule, Workspace } from '../rule.ts';

interface Manifest {
  readonly path: string;
  /** Folder of the package with a trailing slash; empty for the root. */
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
}

export const dependencies: Rule = {
  name: 'dependencies',
  check: (workspace) => {
    const manifests = workspace.tree.paths
      .filter((path) => /^(packages\/[^/]+\/)?package\.json$/.test(path))
      .map((path) => readManifest(path, workspace.tree.read(path) ?? '{}'));
    return [...checkVersions(workspace, manifests), ...checkDeclared(workspace, manifests)];
  },
};

function checkVersions({ tree }: Workspace, manifests: readonly Manifest[]): readonly Finding[] {
  const reasons = reasonsIn(tree.read('CONTRIBUTING.md') ?? '');
  const findings: Finding[] = [];
  for (const { path, versions } of manifests) {
    const lines = (tree.read(path) ?? '').split('\n');
    for (const [name, version] of Object.entries(versions)) {
      const line = lines.findIndex((text) => text.includes(`"${name}":`)) + 1;
      const report = (message: string, remedy: string): void => {
        findings.push({ path, line, rule: 'tidy/dependencies', message, remedy });
      };
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        report(`${name} has no exact version`, `write one instead of "${version}"`);
      if (!name.startsWith('@stella/') && !reasons.has(name)) {
        report(`${name} is not in the table of dependencies`, 'add it with one line of reason to CONTRIBUTING.md');
      }
    }
  }
  const declared = new Set(manifests.flatMap(({ versions }) => Object.keys(versions)));
  for (const [name, line] of reasons) {
    if (declared.has(name)) continue;
    const message = `${name} is in the table of dependencies, but in no package.json`;
    findings.push({ path: 'CONTRIBUTING.md', line, rule: 'tidy/dependencies', message, remedy: 'remove the row' });
  }
  return findings;
}

/** Names in the first column of the table, when its last column has words, with their line. */
function reasonsIn(text: string): ReadonlyMap<string, number> {
  const rows = text
    .split('\n')
    .map((line, index) => [/^\| `([^`]+)` \|.*\| [^|]*\w[^|]* \|$/.exec(line)?.[1], index + 1] as const);
  return new Map(rows.flatMap(([name, line]) => (name === undefined ? [] : [[name, line] as const])));
}

function checkDeclared({ sources }: Workspace, manifests: readonly Manifest[]): readonly Finding[] {
  const root = manifests.find(({ folder }) => folder === '');
  return sources.flatMap((source) => {
    const owner = manifests.find(({ folder }) => folder !== '' && source.path.startsWith(folder)) ?? root;
    // Tests, tools and benches are built by nobody else, so what the root declares is enough for them.
    const isDevelopment = owner === root || isTest(source.path);
    const known = { ...owner?.versions, ...(isDevelopment ? root?.versions : {}) };
    return readImports(source).flatMap((use): readonly Finding[] => {
      const name = packageName(use.specifier);
      if (name === null || Object.hasOwn(known, name)) return [];
      if (name.startsWith('@stella/') && isDevelopment) return [];
      const message = `"${name}" is not declared in ${owner?.path ?? 'any package.json'}`;
      return [
        { path: source.path, line: use.line, rule: 'tidy/dependencies', message, remedy: 'declare it there, exactly' },
      ];
    });
  });
}

/** Null for files and modules of Node. */
function packageName(specifier: string): string | null {
  if (/^(\.|node:|<)/.test(specifier)) return null;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function readManifest(path: string, text: string): Manifest {
  // Written by npm; a member of another type makes the checks above fail loudly.
  const content = JSON.parse(text) as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  const versions = { ...content['dependencies'], ...content['optionalDependencies'], ...content['devDependencies'] };
  return { path, folder: path.slice(0, -'package.json'.length), versions };
}
