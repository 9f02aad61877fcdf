/**
 * `npm run test:system`: tests against real components from outside npm, which `tools/install-system-deps.sh` installs.
 * Same last line as `npm test`. A skipped test counts as a failure here: this run is where it must not be skipped.
 */
import { join } from 'node:path';
import { SYSTEM_PHASE } from './testing/phases.ts';
import { runVitest } from './testing/run-phase.ts';
import { withSandbox } from './testing/sandbox.ts';
import { addTallies, formatTally } from './testing/tally.ts';

const tally = await withSandbox(process.env, async ({ env, reportFolder, findLeftovers }) => {
  const print = (text: string): void => void process.stdout.write(text);
  const run = await runVitest(SYSTEM_PHASE, { root: join(import.meta.dirname, '..'), env, reportFolder, print });
  const skipped = run.skipped.map((name) => `${name} (skipped, which this run does not allow)`);
  return addTallies([
    { ...run, failed: [...run.failed, ...skipped], skipped: [] },
    { passed: 0, failed: findLeftovers(), skipped: [] },
  ]);
});
console.log(formatTally(tally));
process.exitCode = tally.failed.length > 0 ? 1 : 0;
