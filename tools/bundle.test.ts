/** What the production bundle must not hold. */
import { join } from 'node:path';
import { COMMANDS } from '@stella/cli';
import { PLANTED_BUGS } from '@stella/domain';
import { expect, it } from 'vitest';
import { bundle, type Bundled } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const built = bundle({ root, outdir: join(root, 'not-written'), write: false });

it('leaves out every bug that tests plant, with its name', async () => {
  const { outputFiles } = await built;
  const code = outputFiles.filter(({ path }) => path.endsWith('.mjs')).map(({ text }) => text);
  expect(code.join('').length).toBeGreaterThan(100_000);
  for (const bug of PLANTED_BUGS) {
    const holders = code.filter((text) => text.includes(`"${bug}"`) || text.includes(`'${bug}'`));
    expect(holders, `${bug} is in the bundle`).toEqual([]);
  }
  expect(code.filter((text) => /isPlanted|plantBug/.test(text))).toEqual([]);
}, 60_000);

/** What is imported with that file; what is imported later is another kind. */
function sourcesOf(bundled: Bundled, isFirst: (path: string) => boolean): readonly string[] {
  return filesOf(bundled, isFirst).flatMap((path) => Object.keys(bundled.outputs[path]?.inputs ?? {}));
}

function filesOf({ outputs }: Bundled, isFirst: (path: string) => boolean): readonly string[] {
  const loaded = new Set(Object.keys(outputs).filter(isFirst));
  // The set grows while it is gone through.
  for (const path of loaded) {
    for (const one of outputs[path]?.imports ?? [])
      if (one.kind === 'import-statement' && outputs[one.path]) loaded.add(one.path);
  }
  return [...loaded];
}

it('starts a command without the rules of the engine, the server, and what commands do', async () => {
  const bundled = await built;
  const started = sourcesOf(bundled, (path) => path.endsWith('/main.mjs'));
  expect(started).toContain('packages/cli/src/main.ts');
  const rules = /^packages\/server\/|\/decide\/|temporal|zod|\/pg\//;
  expect(started.filter((path) => rules.test(path))).toEqual([]);
  expect(started.filter((path) => /\/cli\/src\/(commands\/.*\/|connect|output)|contract\//.test(path))).toEqual([]);
  const asking = sourcesOf(bundled, (path) =>
    Object.keys(bundled.outputs[path]?.inputs ?? {}).some((source) => source.endsWith('/commands/promotion/status.ts')),
  );
  expect(asking).toContain('packages/cli/src/commands/release/show.ts');
  expect(asking.filter((path) => rules.test(path) || /\/yaml\/|\/service\//.test(path))).toEqual([]);
}, 60_000);

it('is few files, each of which costs more to load than what is in it', async () => {
  const bundled = await built;
  const isAsking = (path: string): boolean => bundled.outputs[path]?.entryPoint?.includes('stella:asking') === true;
  expect(filesOf(bundled, (path) => path.endsWith('/main.mjs'))).toHaveLength(2);
  expect(filesOf(bundled, (path) => path.endsWith('/main.mjs') || isAsking(path))).toHaveLength(4);
}, 60_000);

it('has every command of the registry, as the same words', async () => {
  const { outputFiles } = await built;
  const code = outputFiles.filter(({ path }) => path.endsWith('.mjs')).map(({ text }) => text);
  for (const { summary, path } of COMMANDS) {
    expect(code.filter((text) => text.includes(summary)).length, path.join(' ')).toBeGreaterThan(0);
  }
}, 60_000);
