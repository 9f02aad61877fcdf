/**
 * `npm test`: lint, types, tidy, format, then the tests of vitest by kind. The last line is `N passed, N failed,
 * N skipped`, where each of the four checks counts as one; what failed or was skipped is named above it. Exit 1 when
 * anything failed, also when a test left files or processes behind. Arguments: names of phases to run only those;
 * `TEST_PATHS='data-dir hostile/files'` only tests whose path has one of these, of which every phase must have some.
 */
import { join } from 'node:path';
import { CHECKS, TEST_PHASES } from './testing/phases.ts';
import { runCheck, runVitest } from './testing/run-phase.ts';
import { withSandbox } from './testing/sandbox.ts';
import { addTallies, formatTally, type Tally } from './testing/tally.ts';

const wanted = process.argv.slice(2);
const names = [...CHECKS, ...TEST_PHASES].map((phase) => phase.name);
const unknown = wanted.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no phase "${unknown}"; there are ${names.join(', ')}`);
const paths = (process.env['TEST_PATHS'] ?? '').split(' ').filter((path) => path !== '');
const isWanted = (phase: { name: string }): boolean => wanted.length === 0 || wanted.includes(phase.name);

const tally = await withSandbox(process.env, async ({ env, reportFolder, findLeftovers }) => {
  const print = (text: string): void => void process.stdout.write(text);
  const context = { root: join(import.meta.dirname, '..'), env, reportFolder, print };
  const tallies: Tally[] = [];
  for (const check of CHECKS.filter(isWanted)) tallies.push(await runCheck(check, context));
  for (const phase of TEST_PHASES.filter(isWanted)) {
    tallies.push(await runVitest({ ...phase, args: [...phase.args, ...paths] }, context));
    tallies.push({ passed: 0, failed: findLeftovers(), skipped: [] });
  }
  return addTallies(tallies);
});
console.log(formatTally(tally));
process.exitCode = tally.failed.length > 0 ? 1 : 0;
