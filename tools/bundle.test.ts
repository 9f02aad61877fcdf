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
