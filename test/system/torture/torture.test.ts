/**
 * Three servers and one PostgreSQL, killed, paused, cut off and starved while a client asks for promotions. Longer runs by
 * variables, see `plan.ts`. Needs root, and what `tools/install-system-deps.sh` installs.
 */
import { describe, expect, it } from 'vitest';
import { recordFigures } from '../figures.ts';
import { readPlan } from './plan.ts';
import { runTorture } from './torture.ts';

/** Beside the faults: start, settle, end. */
const AROUND_MS = 300_000;

describe.each([15, 18] as const)('torture on PostgreSQL %s', (postgres) => {
  const plan = readPlan(process.env, postgres);
  it('loses nothing, changes nothing late, and takes over in time', {
    timeout: plan.timeoutMs + AROUND_MS,
  }, async () => {
    const report = await runTorture(plan, (text) => console.log(text));
    recordFigures(report);
    expect(report.findings).toEqual([]);
    expect(report.promotions).toBeGreaterThan(0);
    expect(report.switches).toBeGreaterThan(0);
  });
});
