/**
 * `npm run test:system`: tests against real components from outside npm, which `tools/install-system-deps.sh` installs.
 * Same last line as `npm test`. A skipped test counts as a failure here: this run is where it must not be skipped.
 */
import { join } from 'node:path';
import { SYSTEM_PHASE } from './testing/phases.ts';
import { runVitest } from './testing/run-phase.ts';
import { makeSandbox } from './testing/sandbox.ts';
import { addTallies, formatTally } from './testing/tally.ts';

const print = (text: string): void => void process.stdout.write(text);
const sandbox = makeSandbox(process.env);
try {
  const root = join(import.meta.dirname, '..');
  const run = await runVitest(SYSTEM_PHASE, { root, env: sandbox.env, reportFolder: sandbox.reportFolder, print });
  const tally = addTallies([run, { passed: 0, failed: sandbox.findLeftovers(), skipped: [] }]);
  console.log(formatTally(tally));
  process.exitCode = tally.failed.length + tally.skipped.length > 0 ? 1 : 0;
} finally {
  sandbox.remove();
}
