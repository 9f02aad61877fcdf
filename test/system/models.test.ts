/** The models of `models/`, checked exhaustively by spin; each wrong one must fail by the property that it breaks. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const MODELS = join(import.meta.dirname, '..', '..', 'models');
/** Several times what the largest one takes on an idle core. */
const TIMEOUT_MS = 280_000;
/** Longer than any path, so that nothing is cut off; a search that would be says so and fails the test. */
const DEPTH_MAX = 200_000;
const MEMORY_MB_MAX = 3_000;
const OUTPUT_BYTES_MAX = 50_000_000;

interface Check {
  readonly model: 'fence' | 'promotion-life';
  readonly defines: readonly string[];
  /** Looks for a run that goes on for ever, not for a wrong state. */
  readonly isLiveness?: boolean;
  /** It ends soon, and is not worth a better compilation. */
  readonly isQuick?: boolean;
}

interface Verdict {
  readonly stateCount: number;
  readonly errorCount: number;
  readonly isWhole: boolean;
  /** The property that the first wrong run breaks; empty when there is none. */
  readonly violated: string;
}

const run = promisify(execFile);

async function verify({ model, defines, isLiveness = false, isQuick = false }: Check): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'stella-models-'));
  const at = { cwd: folder, maxBuffer: OUTPUT_BYTES_MAX, timeout: TIMEOUT_MS };
  const flags = defines.map((define) => `-D${define}`);
  try {
    await copyFile(join(MODELS, `${model}.pml`), join(folder, 'model.pml'));
    await run('spin', [...flags, '-a', 'model.pml'], at);
    // Up to five processes wait fairly for their turn; without liveness the claim of the `ltl` formula is left out.
    const mode = isLiveness ? ['-DNFAIR=5'] : ['-DSAFETY', '-DNOCLAIM'];
    const level = isQuick ? '-O0' : '-O2';
    await run('gcc', [level, '-w', '-DCOLLAPSE', `-DMEMLIM=${MEMORY_MB_MAX}`, ...mode, '-o', 'pan', 'pan.c'], at);
    // -E: a process that has died stands still before its end, which is no error.
    const { stdout } = await run('./pan', ['-E', `-m${DEPTH_MAX}`, ...(isLiveness ? ['-a', '-f'] : [])], at);
    const hasTrail = (await readdir(folder)).some((name) => name.endsWith('.trail'));
    const trail = hasTrail ? await readTrail(flags, at) : '';
    return {
      stateCount: Number(/(\d+) states, stored/.exec(stdout)?.[1]),
      errorCount: Number(/errors: (\d+)/.exec(stdout)?.[1]),
      isWhole: !/max search depth too small|out of memory|Search not completed/.test(stdout) || hasTrail,
      violated: /violated: (\w+)/.exec(trail)?.[1] ?? (/acceptance cycle/.test(stdout) ? 'ends' : ''),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Plays the wrong run again; spin answers 1 when it ends in a failed assertion. */
async function readTrail(flags: readonly string[], at: { cwd: string; maxBuffer: number }): Promise<string> {
  try {
    return (await run('spin', [...flags, '-t', 'model.pml'], at)).stdout;
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  }
}

const fence = (takeovers: number, forces: number, operations: number, lostCommits = 0): readonly string[] => [
  `TAKEOVERS=${takeovers}`,
  `FORCES=${forces}`,
  `OPS=${operations}`,
  `LOST_COMMITS=${lostCommits}`,
];
const life = (promotions: number, workers: number, crashes: number, pauses: number): readonly string[] => [
  `PROMOTIONS=${promotions}`,
  `WORKERS=${workers}`,
  `CRASHES=${crashes}`,
  `PAUSES=${pauses}`,
];

const RIGHT: readonly Check[] = [
  { model: 'fence', defines: fence(2, 0, 3) },
  { model: 'fence', defines: fence(0, 1, 3) },
  { model: 'fence', defines: fence(1, 1, 2, 1) },
  { model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { model: 'promotion-life', defines: life(3, 2, 0, 1) },
  { model: 'promotion-life', defines: life(2, 2, 1, 1) },
  { model: 'promotion-life', defines: life(2, 2, 1, 1), isLiveness: true },
];

const WRONG: readonly (Check & { readonly define: string; readonly property: string })[] = [
  { define: 'NO_FENCE_CHECK', property: 's4_older', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'NO_LINK_REMOVAL', property: 's4_older', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'LOOK_BEFORE_LINK', property: 's4_older', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'NO_LOOK', property: 's4_older', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'REFUSED_EARLY', property: 's4_revoked', model: 'fence', defines: fence(0, 1, 3) },
  { define: 'SEAL_SKIPPED', property: 's4_looked_up', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'SEAL_FORGETS', property: 's4_looked_up', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'SAME_FENCE_RETRY', property: 's4_rightful', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'FORCE_KEEPS_FENCE', property: 's4_revoked', model: 'fence', defines: fence(0, 1, 3) },
  { define: 'NO_CLAIM_CHECK', property: 's3_claim', model: 'fence', defines: fence(2, 0, 3) },
  { define: 'OUTCOME_TWICE', property: 's17_counted', model: 'fence', defines: fence(1, 0, 3, 1) },
  { define: 'READ_BEFORE_LOCK', property: 'l4_wake_up', model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { define: 'NO_CLAIM_CHECK', property: 's5_terminal', model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { define: 'BURIED_MAY_CLAIM', property: 'l2_taken_over', model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { define: 'BURIED_MAY_WRITE', property: 'l2_taken_over', model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { define: 'WAKE_SKIPPED', property: 'l4_wake_up', model: 'promotion-life', defines: life(3, 2, 0, 1) },
  { define: 'SKIPPED_FORGOTTEN', property: 'l4_wake_up', model: 'promotion-life', defines: life(3, 2, 0, 1) },
  { define: 'REOPEN_WAKES_NOBODY', property: 'l4_wake_up', model: 'promotion-life', defines: life(3, 2, 0, 1) },
  { define: 'CANCEL_NOT_DUE', property: 'l7_cancel', model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { define: 'BURY_LEAVES_ASLEEP', property: 'l2_taken_over', model: 'promotion-life', defines: life(2, 3, 0, 1) },
  { define: 'NO_BURIAL', property: 'ends', model: 'promotion-life', defines: life(2, 2, 1, 1), isLiveness: true },
  {
    define: 'KEEPS_LOCK_AT_END',
    property: 'ends',
    model: 'promotion-life',
    defines: life(2, 2, 1, 1),
    isLiveness: true,
  },
];

const isThere = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

describe('models', () => {
  if (!isThere('spin') || !isThere('gcc')) {
    it.skip('missing component: spin and gcc (tools/install-system-deps.sh installs them)', () => undefined);
    return;
  }

  for (const check of RIGHT) {
    const title = `${check.model} ${check.defines.join(' ')}`;
    it(`${title}${check.isLiveness ? ' ends' : ''}: no run breaks a property`, async () => {
      const verdict = await verify(check);
      process.stdout.write(`${title}: ${verdict.stateCount} states\n`);
      expect(verdict).toMatchObject({ errorCount: 0, isWhole: true, violated: '' });
      expect(verdict.stateCount).toBeGreaterThan(10_000);
    });
  }

  for (const { define, property, ...check } of WRONG) {
    it(`${check.model} with ${define} breaks ${property}`, async () => {
      const verdict = await verify({ ...check, defines: [...check.defines, define], isQuick: true });
      expect(verdict).toMatchObject({ errorCount: 1, violated: property });
    });
  }

  it('every switch of a model is tried', () => {
    for (const model of ['fence', 'promotion-life'] as const) {
      const text = readFileSync(join(MODELS, `${model}.pml`), 'utf8');
      const switches = [...text.matchAll(/-D([A-Z_]+)/g)].map(([, name]) => name);
      const tried = WRONG.filter((one) => one.model === model).map((one) => one.define);
      expect(new Set(switches)).toEqual(new Set(tried));
    }
  });
});
