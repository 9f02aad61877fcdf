/** Runs the real vitest on planted tests and reads what it reports. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCheck, runVitest } from './run-phase.ts';
import { addTallies, formatTally, NOTHING, type Tally } from './tally.ts';
import { parseVitestReport } from './vitest-report.ts';

const ROOT = join(import.meta.dirname, '..', '..');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stella-vitest-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs vitest over planted files; `it` and `expect` are globals there, so that they need no packages. */
async function runPlanted(name: string, files: Readonly<Record<string, string>>): Promise<Tally> {
  const root = join(folder, name);
  mkdirSync(root);
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
  const phase = { name, args: ['--root', root, '--globals'], timeoutMs: 60_000 };
  const { VITEST: _, ...env } = process.env;
  return runVitest(phase, { root: ROOT, env, reportFolder: folder, print: () => undefined });
}

describe('runVitest', { timeout: 60_000 }, () => {
  it('counts what passed, failed and was skipped, by name', async () => {
    const tally = await runPlanted('mixed', {
      'a.test.js': "it('holds', () => {});\nit('breaks', () => { expect(1).toBe(2); });\n",
      'b.test.js': "describe('b', () => { it.skip('missing component: x', () => {}); });\n",
    });
    expect(tally.passed).toBe(1);
    expect(tally.failed).toEqual([expect.stringMatching(/a\.test\.js > breaks$/)]);
    expect(tally.skipped).toEqual([expect.stringMatching(/b\.test\.js > b missing component: x$/)]);
  });

  it('counts a file that cannot be loaded as a failure', async () => {
    const tally = await runPlanted('unloadable', {
      'a.test.js': "import './nowhere.js';\nit('holds', () => {});\n",
      'b.test.js': "it('holds', () => {});\n",
    });
    expect(tally).toEqual({
      passed: 1,
      failed: [expect.stringMatching(/a\.test\.js \(outside of its tests\)$/)],
      skipped: [],
    });
  });

  it('counts an unhandled rejection as a failure although every test passed', async () => {
    const tally = await runPlanted('unhandled', {
      'a.test.js': "it('holds', () => { void Promise.reject(new Error('lost')); });\n",
    });
    expect(tally).toEqual({ passed: 1, failed: [expect.stringContaining('no test failed')], skipped: [] });
  });

  it('counts a phase without any test as a failure', async () => {
    const tally = await runPlanted('empty', {});
    expect(tally.failed).toEqual([expect.stringContaining('empty: ')]);
  });
});

describe('runCheck', () => {
  const context = { root: ROOT, env: process.env, reportFolder: '', print: () => undefined };

  it('ends a check that runs into its deadline, and counts it as a failure', async () => {
    const check = {
      name: 'hang',
      program: process.execPath,
      args: ['-e', 'setInterval(() => {}, 1000)'],
      timeoutMs: 300,
    };
    expect(await runCheck(check, context)).toEqual({ passed: 0, failed: ['hang'], skipped: [] });
  });

  it('counts a check that ends with 0 as one passed', async () => {
    const check = { name: 'fine', program: process.execPath, args: ['-e', ''], timeoutMs: 10_000 };
    expect(await runCheck(check, context)).toEqual({ passed: 1, failed: [], skipped: [] });
  });
});

describe('tally', () => {
  it('ends with the counts', () => {
    const sum = addTallies([
      NOTHING,
      { passed: 3, failed: ['a'], skipped: ['b', 'c'] },
      { passed: 1, failed: [], skipped: [] },
    ]);
    expect(formatTally(sum)).toBe('skipped: b\nskipped: c\nfailed: a\n4 passed, 1 failed, 2 skipped');
  });

  it('refuses a report of another shape', () => {
    expect(() => parseVitestReport('{}', { phase: 'x', root: '/', exitCode: 0 })).toThrow(TypeError);
  });
});
