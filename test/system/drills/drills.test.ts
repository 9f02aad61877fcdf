/**
 * Every drill on a real managed orchestrator, as people play it: the cause named first, the first remedy carried out as
 * it is printed, the promotion completed; and two hundred promotions that are well, of which none is said to be ill.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DrillResult } from '../../../packages/cli/src/drills/run-drill.ts';
import { recordFigures } from '../figures.ts';
import { startGateServices } from './gate-services.ts';
import { watchHealthyPromotions } from './healthy.ts';
import { bootMachine, type Machine } from './machine.ts';

const TEST_TIMEOUT_MS = 1_200_000;
/** Drills that wait for a stall: they are played apart, with a stall of seconds. */
const STALLS = ['target.slow', 'config.time_budget'];

let machine: Machine;
const results: DrillResult[] = [];
beforeAll(async () => {
  machine = await bootMachine();
}, TEST_TIMEOUT_MS);
afterAll(() => machine.remove(), TEST_TIMEOUT_MS);

async function play(...which: readonly string[]): Promise<readonly DrillResult[]> {
  const fixed = ['--directory', machine.drills, '--approver-token-file', machine.approverTokenFile, '-o', 'json', '-q'];
  const { stdout, stderr } = await machine.stella('drill', 'run', ...which, '--parallel', '6', ...fixed);
  expect(stderr).toBe('');
  // The command's own rows.
  const played = JSON.parse(stdout) as readonly DrillResult[];
  results.push(...played);
  return played;
}

const failuresOf = (played: readonly DrillResult[]): readonly string[] =>
  played.filter(({ isCured }) => !isCured).map(({ drill, message }) => `${drill}: ${message}`);

describe('drills', () => {
  it('each names its cause first, and its first remedy cures', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(failuresOf(await play('--all', '--except', ...STALLS))).toEqual([]);
    await machine.stella('orch', 'config', 'set', 'stuck.after', '3s');
    const stalled = await play('--cause', ...STALLS);
    await machine.stella('orch', 'config', 'unset', 'stuck.after');
    expect(failuresOf(stalled)).toEqual([]);
    const { items } = await machine.admin.call('listEnvironments');
    expect(items).toEqual([]);
  });

  it('two hundred promotions that are well are never said to be ill', { timeout: TEST_TIMEOUT_MS }, async () => {
    const services = await startGateServices(machine.drills);
    try {
      const healthy = await watchHealthyPromotions(machine, services);
      console.log(tableOf(results));
      console.log(`healthy: ${healthy.lookCount} diagnoses, ended ${JSON.stringify(healthy.endings)}`);
      console.log(`waits that were told: ${[...healthy.waits].sort().join(', ')}`);
      recordFigures({
        drills: results.length,
        named: results.filter(({ isNamed }) => isNamed).length,
        cured: results.filter(({ isCured }) => isCured).length,
        healthy: healthy.promotionCount,
        falsePositives: healthy.falsePositives.length,
      });
      expect(healthy.falsePositives).toEqual([]);
      expect(healthy.promotionCount).toBe(200);
      expect([...healthy.waits]).toEqual(
        expect.arrayContaining(['approval.pending', 'window.closed', 'soak.running', 'quota.exhausted']),
      );
    } finally {
      services.close();
    }
  });
});

function tableOf(played: readonly DrillResult[]): string {
  const rows = played.map(({ drill, isNamed, isCured, seconds, remedy }) =>
    [drill.padEnd(28), isNamed ? 'yes' : 'NO', isCured ? 'yes' : 'NO', String(seconds).padStart(4), remedy].join('  '),
  );
  return ['drill, named first, cured, seconds, first remedy', ...rows].join('\n');
}
