import { expect, it } from 'vitest';
import { targetLines } from './show.ts';

const LONG = 'deploy@web-1.frankfurt.example.org:22';
const worker = (host: string | null) =>
  ({ name: 'worker', kind: 'command', component: 'web', host, fence: 'script' }) as const;

it('tells of a target on one line what fits into 80 columns, and else what keeps its fence below', () => {
  expect(targetLines([worker(null)])).toEqual([
    'Targets      worker  command  this machine  fence kept by a script there',
  ]);
  const lines = targetLines([worker(null), worker(LONG)]);
  expect(lines).toEqual([
    'Targets      worker  command  this machine',
    '               fence kept by a script there',
    `             worker  command  ${LONG}`,
    '               fence kept by a script there',
  ]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});
