import { join } from 'node:path';
import { ERROR_CODES, SETTING_KEYS } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { readSourceTree, type SourceTree } from '../code/source-tree.ts';
import { readWorkspace } from '../tidy/rule.ts';
import { generated } from '../tidy/rules/generated.ts';
import { renderPages } from './pages.ts';

const tree = readSourceTree(join(import.meta.dirname, '..', '..'));
const pages = renderPages(tree);

/** The tree with some files replaced; null removes one. */
function treeWith(changes: Readonly<Record<string, string | null>>): SourceTree {
  return {
    ...tree,
    paths: tree.paths.filter((path) => path.startsWith('packages/server/src/store/')),
    read: (path) => (path in changes ? (changes[path] ?? null) : (pages.get(path) ?? tree.read(path))),
  };
}

const stalePages = (changes: Readonly<Record<string, string | null>>): readonly string[] =>
  generated.check(readWorkspace(treeWith(changes))).map((finding) => finding.path);

describe('generated pages', () => {
  it('name every error code once, in a row', () => {
    const rows = (pages.get('docs/errors.md') ?? '').split('\n').map((line) => /^\| `([^`]+)` \|/.exec(line)?.[1]);
    expect(rows.filter((code) => code !== undefined).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
  });

  it('give an error its status, exit code and next step', () => {
    expect(pages.get('docs/errors.md')).toContain(
      '| `environment.not_found` | 404 | 4 | no environment "{name}" | list them: stella environment list |',
    );
  });

  it('name every setting', () => {
    for (const key of SETTING_KEYS) expect(pages.get('docs/settings.md')).toContain(`| \`${key}\` |`);
  });

  it('name every error code once, each family under a title of its own', () => {
    const page = pages.get('docs/errors.md') ?? '';
    for (const code of Object.keys(ERROR_CODES)) expect(page.split(`| \`${code}\` |`)).toHaveLength(2);
    expect(page).toContain('## Targets');
  });

  it('are stale for tidy as soon as a letter differs or one is missing', () => {
    expect(stalePages({})).toEqual([]);
    expect(stalePages({ 'docs/errors.md': `${pages.get('docs/errors.md')} ` })).toEqual(['docs/errors.md']);
    expect(stalePages({ 'docs/settings.md': null })).toEqual(['docs/settings.md']);
  });
});
