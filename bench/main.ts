/**
 * `npm run bench -- <name>`: prints a table for people and, as its last lines on stdout, one JSON object per row. Figures
 * of different runs are not compared: what counts is a ratio within one run. See docs/performance.md.
 */
import { buildPrograms } from '../tools/testing/build-programs.ts';
import { runCliBench } from './cli.ts';
import { runIsolation } from './isolation.ts';
import { runLifecycle } from './lifecycle.ts';
import { printRows, type Row } from './report.ts';
import { runStatusBench } from './status.ts';
import { runTargets } from './targets.ts';
import { runTakeover } from './takeover.ts';
import { runWaiting } from './waiting.ts';

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<readonly Row[]>>> = {
  cli: runCliBench,
  isolation: runIsolation,
  lifecycle: runLifecycle,
  status: runStatusBench,
  takeover: runTakeover,
  targets: runTargets,
  waiting: runWaiting,
};

const name = process.argv[2] ?? '';
const bench = BENCHES[name];
if (bench) {
  await buildPrograms();
  printRows(await bench(process.argv.slice(3)));
} else {
  process.stderr.write(`there is no bench "${name}"; known: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exitCode = 2;
}
