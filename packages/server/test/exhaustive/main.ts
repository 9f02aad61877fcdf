/**
 * `npm run test:exhaustive -- --kind contention --states 2000000`: every state that the rules can reach in a small closed
 * world, up to that many. `--planted gate.error_passes` looks for a bug. The last line is JSON.
 */
import { parseArgs } from 'node:util';
import { PLANTED_BUGS } from '@stella/domain';
import { search } from './search.ts';

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'contention' },
    states: { type: 'string', default: '2000000' },
    crashes: { type: 'string', default: '2' },
    skips: { type: 'string', default: '1' },
    gates: { type: 'string', default: '2' },
    promotions: { type: 'string', default: '2' },
    planted: { type: 'string' },
  },
});
const planted = PLANTED_BUGS.find((bug) => bug === values.planted);
const { first, ...report } = search({
  kind: values.kind === 'row' ? 'row' : 'contention',
  statesMax: Number(values.states),
  crashes: Number(values.crashes),
  skips: Number(values.skips),
  gates: Number(values.gates),
  promotions: values.promotions === '1' ? 1 : 2,
  ...(planted ? { planted } : {}),
  onProgress: ({ depth, states, seconds }) => process.stderr.write(`depth ${depth}: ${states} states, ${seconds} s\n`),
});
if (first) process.stderr.write(`${first.broken}\n${first.moves.join('\n')}\n`);
process.stdout.write(`${JSON.stringify({ kind: values.kind, ...report })}\n`);
process.exitCode = report.violations > 0 ? 1 : 0;
