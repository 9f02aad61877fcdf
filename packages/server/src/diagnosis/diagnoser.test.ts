import { type DiagnosisSnapshot, STANDARD_SETTINGS } from '@stella/domain';
import { caseOf, makeStage } from '@stella/testkit';
import { expect, it } from 'vitest';
import { makeDiagnoser } from './diagnoser.ts';

const CALM = { nowMs: 0, isWritable: true, connectionCount: 1, connectionCountMax: 100, sizeBytes: 1 };

it('adds its own clock and disk to what was read, and takes stalled ones one after the other', async () => {
  const stage = makeStage();
  const ids = [stage.create({ release: 5 }), stage.create({ release: 6 })];
  stage.wait(90_000);
  let running = 0;
  const diagnoser = makeDiagnoser({
    reads: {
      async readDiagnosis(id) {
        running += 1;
        expect(running).toBe(1);
        await Promise.resolve();
        running -= 1;
        const whole: DiagnosisSnapshot = caseOf(stage, id);
        return whole;
      },
      readMonitoring: (stuckAfterMs, { stalledCount }) => {
        expect(stuckAfterMs).toBe(STANDARD_SETTINGS['stuck.after']);
        const stalled = ids
          .slice(0, stalledCount)
          .map((promotionId) => ({ promotionId, environment: 'prod', stalledMs: 1 }));
        return Promise.resolve({ stalled, failedRollbacks: [], liveWorkerCount: 0, liveWorkers: [], database: CALM });
      },
    },
    clock: { nowMs: () => stage.nowMs() + 60_000, monotonicMs: () => 0 },
    settings: STANDARD_SETTINGS,
    about: { version: '1.0.0', hostname: 'host-1' },
    readDisk: () => Promise.resolve({ path: '/data', freeBytes: 0 }),
  });
  const [first] = ids;
  if (!first) throw new Error('two were made');
  const { causes } = await diagnoser.diagnose(first);
  expect(causes.map((cause) => cause.code)).toEqual(['database.disk_full', 'worker.blocked', 'clock.skew']);
  const stalled = await diagnoser.diagnoseStalled(5);
  expect(stalled.map((one) => [one.promotionId, one.firstCause?.code])).toEqual(
    ids.map((id) => [id, 'database.disk_full']),
  );
});
