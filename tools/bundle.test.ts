/** What the production bundle must not hold. */
import { join } from 'node:path';
import { PLANTED_BUGS } from '@stella/domain';
import { expect, it } from 'vitest';
import { bundle } from './bundle.ts';

it('leaves out every bug that tests plant, with its name', async () => {
  const root = join(import.meta.dirname, '..');
  const { outputFiles = [] } = await bundle({ root, outdir: join(root, 'not-written'), write: false });
  const code = outputFiles.filter(({ path }) => path.endsWith('.mjs')).map(({ text }) => text);
  expect(code.join('').length).toBeGreaterThan(100_000);
  for (const bug of PLANTED_BUGS) {
    const holders = code.filter((text) => text.includes(`"${bug}"`) || text.includes(`'${bug}'`));
    expect(holders, `${bug} is in the bundle`).toEqual([]);
  }
  expect(code.filter((text) => /isPlanted|plantBug/.test(text))).toEqual([]);
}, 60_000);

it('starts a command without the rules of the engine and without the server', async () => {
  const root = join(import.meta.dirname, '..');
  const { metafile } = await bundle({ root, outdir: join(root, 'not-written'), write: false });
  const outputs = new Map(Object.entries(metafile.outputs));
  const loaded = new Set([...outputs.keys()].filter((path) => path.endsWith('/main.mjs')));
  // What is imported while it starts; what is imported later is another kind. The set grows while it is gone through.
  for (const path of loaded) {
    for (const one of outputs.get(path)?.imports ?? []) if (one.kind === 'import-statement') loaded.add(one.path);
  }
  const sources = [...loaded].flatMap((path) => Object.keys(outputs.get(path)?.inputs ?? {}));
  expect(sources).toContain('packages/cli/src/main.ts');
  expect(sources.filter((path) => /^packages\/server\/|\/decide\/|temporal|zod|\/pg\//.test(path))).toEqual([]);
}, 60_000);
