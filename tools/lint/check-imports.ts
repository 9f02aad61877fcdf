/** Compares the imports of each file with the table of borders. Pure: trees in, findings out. */
import { posix } from 'node:path';
import { PURE_NODE_MODULES, TEST_ZONE, WORKSPACES, type Zone, zoneOf } from '../borders.ts';
import type { Finding } from '../code/finding.ts';
import type { ParsedSource } from '../code/parse-source.ts';
import { isTest } from '../code/source-tree.ts';
import { type ImportUse, readImports } from './read-imports.ts';

type Refusal = Pick<Finding, 'rule' | 'message' | 'remedy'>;

export function checkImports(source: ParsedSource): readonly Finding[] {
  const zone = zoneFor(source.path);
  if (zone === null) {
    return [
      {
        path: source.path,
        line: 1,
        rule: 'border/zone',
        message: 'this folder is in no zone',
        remedy: 'enter it in tools/borders.ts with what it may import',
      },
    ];
  }
  const findings: Finding[] = [];
  for (const use of readImports(source)) {
    const refusal = refuse(source.path, zone, use);
    if (refusal !== null) findings.push({ path: source.path, line: use.line, ...refusal });
  }
  return findings;
}

/** The zone whose rules hold for a file; tests have their own. */
export function zoneFor(path: string): Zone | null {
  return isTest(path) ? { folder: path, ...TEST_ZONE } : zoneOf(path);
}

function refuse(path: string, zone: Zone, use: ImportUse): Refusal | null {
  if (use.specifier === '<computed>') {
    return {
      rule: 'border/computed',
      message: 'a computed module name hides a border',
      remedy: 'write the name as a string',
    };
  }
  if (use.manner === 'require') {
    return {
      rule: 'border/require',
      message: `"${use.specifier}" is loaded by require`,
      remedy: 'use an import statement',
    };
  }
  if (use.specifier.startsWith('.')) return refuseRelative(path, zone, use);
  if (use.specifier.startsWith('node:')) return refuseNode(zone, use);
  if (use.specifier.startsWith('@stella/')) return refuseWorkspace(zone, use);
  return refusePackage(zone, use);
}

function refuseRelative(path: string, zone: Zone, use: ImportUse): Refusal | null {
  const target = posix.join(posix.dirname(path), use.specifier);
  if (!/\.(ts|tsx|json)$/.test(target)) {
    return {
      rule: 'border/extension',
      message: `"${use.specifier}" does not end in .ts`,
      remedy: 'write the file as it is named',
    };
  }
  // Tests of the whole system reuse the contract suites of packages, which have no name to import them by.
  if (packageOf(target) !== packageOf(path) && !path.startsWith('test/')) {
    return {
      rule: 'border/package',
      message: `"${use.specifier}" leaves ${packageOf(path)}`,
      remedy: 'import the other workspace by its name',
    };
  }
  if (isTest(target) && !isTest(path)) {
    return {
      rule: 'border/test',
      message: `code imports the test file ${target}`,
      remedy: 'move what both need into a file of its own',
    };
  }
  return refuseZone(zone, target, use);
}

function refuseWorkspace(zone: Zone, use: ImportUse): Refusal | null {
  const face = WORKSPACES[use.specifier];
  if (face === undefined) {
    return {
      rule: 'border/package',
      message: `"${use.specifier}" is not the public face of a workspace`,
      remedy: `import from one of ${Object.keys(WORKSPACES).join(', ')}`,
    };
  }
  return refuseZone(zone, face, use);
}

function refuseZone(zone: Zone, target: string, use: ImportUse): Refusal | null {
  const owner = zoneFor(target);
  if (owner === null || owner.folder === zone.folder) return null;
  const lists = (folders: readonly string[] | undefined): boolean =>
    folders?.some((folder) => folder === '*' || target === folder || target.startsWith(`${folder}/`)) ?? false;
  if (lists(zone.zones)) return null;
  if (use.isType && lists(zone.typesOf)) return null;
  if (use.manner === 'lazy' && lists(zone.lazy)) return null;
  const manner = lists(zone.typesOf) ? ' at run time' : lists(zone.lazy) ? ' at start-up' : '';
  return {
    rule: 'border/zone',
    message: `${zone.folder} may not import ${owner.folder}${manner}`,
    remedy: lists(zone.typesOf)
      ? 'import the type only'
      : lists(zone.lazy)
        ? 'load it with import() where it is used'
        : 'let a port or an argument bring what is needed; the borders are in tools/borders.ts',
  };
}

function refuseNode(zone: Zone, use: ImportUse): Refusal | null {
  if (zone.world === 'all') return null;
  if (zone.world === 'nothing') {
    return {
      rule: 'border/node',
      message: `${zone.folder} is pure and may not import "${use.specifier}"`,
      remedy: 'pass the value in',
    };
  }
  const allowed = PURE_NODE_MODULES[use.specifier];
  if (use.isType || allowed === '*') return null;
  const excess = use.names?.filter((name) => !allowed?.includes(name)) ?? ['*'];
  if (allowed !== undefined && excess.length === 0) return null;
  return {
    rule: 'border/node',
    message: `${zone.folder} may not import ${excess.join(', ')} of "${use.specifier}", which reaches the real world`,
    remedy: 'use a port of packages/server/src/ports; system/ implements them',
  };
}

function refusePackage(zone: Zone, use: ImportUse): Refusal | null {
  const name = use.specifier
    .split('/')
    .slice(0, use.specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const scope = `${name.split('/')[0]}/*`;
  if (zone.packages.some((allowed) => allowed === name || allowed === scope)) return null;
  return {
    rule: 'border/npm',
    message: `${zone.folder} may not import the package "${name}"`,
    remedy: 'let the zone that owns it do the work; the borders are in tools/borders.ts',
  };
}

function packageOf(path: string): string {
  const [top, name] = path.split('/');
  return top === 'packages' ? `${top}/${name}` : 'the root workspace';
}
