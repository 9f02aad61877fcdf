/**
 * `npm run test:system`: tests against real components from outside npm, which `tools/install-system-deps.sh` installs.
 * `npm run test:system -- models` runs those of one name only. Ends with the tally of `npm test`, and after it with the
 * figures of tests that measure, one JSON object per line. A skipped test counts as a failure here: this run is where it
 * must not be skipped.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIGURES_VARIABLE } from './testing/figures.ts';
import { SYSTEM_PHASE } from './testing/phases.ts';
import { runVitest } from './testing/run-phase.ts';
import { withSandbox } from './testing/sandbox.ts';
import { pickSystemFiles } from './testing/system-files.ts';
import { addTallies, formatTally } from './testing/tally.ts';

const root = join(import.meta.dirname, '..');
const folder = join('test', 'system');
const found = pickSystemFiles(
  process.argv.slice(2),
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }),
);
if (found.kind === 'unknown') {
  process.stderr.write(`there is no system test "${found.name}"; known: ${found.known.join(', ')}\n`);
  process.exitCode = 2;
} else {
  await runFiles(found.paths.map((path) => join(folder, path)));
}

async function runFiles(paths: readonly string[]): Promise<void> {
  const phase = { ...SYSTEM_PHASE, args: [...SYSTEM_PHASE.args, ...paths] };
  let figures = '';
  const tally = await withSandbox(process.env, async ({ env, reportFolder, findLeftovers }) => {
    const print = (text: string): void => void process.stdout.write(text);
    const figuresFile = join(reportFolder, 'figures.jsonl');
    const run = await runVitest(phase, { root, env: { ...env, [FIGURES_VARIABLE]: figuresFile }, reportFolder, print });
    if (existsSync(figuresFile)) figures = readFileSync(figuresFile, 'utf8');
    const skipped = run.skipped.map((name) => `${name} (skipped, which this run does not allow)`);
    return addTallies([
      { ...run, failed: [...run.failed, ...skipped], skipped: [] },
      { passed: 0, failed: findLeftovers(), skipped: [] },
    ]);
  });
  console.log(formatTally(tally));
  process.stdout.write(figures);
  process.exitCode = tally.failed.length > 0 ? 1 : 0;
}
