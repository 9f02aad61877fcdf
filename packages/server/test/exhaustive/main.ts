/**
 * `npm run test:exhaustive -- --kind contention --states 2000000`: every state that the rules can reach in a small closed
 * world, up to that many. The last line is JSON.
 */
import { parseArgs } from 'node:util';
import { search, type SearchPlan } from './search.ts';

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'contention' },
    states: { type: 'string', default: '2000000' },
    crashes: { type: 'string', default: '2' },
    skips: { type: 'string', default: '1' },
    gates: { type: 'string', default: '2' },
  },
});
const kind: SearchPlan['kind'] = values.kind === 'row' ? 'row' : 'contention';
const { first, ...report } = search({
  kind,
  statesMax: Number(values.states),
  crashes: Number(values.crashes),
  skips: Number(values.skips),
  gates: Number(values.gates),
  onProgress: ({ depth, states }) => process.stderr.write(`depth ${depth}: ${states} states\n`),
});
if (first) process.stderr.write(`${first.broken}\n${first.moves.join('\n')}\n`);
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.violations > 0 ? 1 : 0;
