/**
 * Describes one test per fault point: the server is killed there in a scenario that passes it.
 * `CRASH_POINTS_OF='sql\.commit'` are only points that match it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PortFaultPoint, StatementFaultPoint } from '../../src/faults/fault-points.ts';
import { type CrashStage, makeCrashStage } from './crash-stage.ts';
import { type Scenario, untilStruck } from './scenarios.ts';

export interface CrashPlan {
  readonly scenario: Scenario;
  readonly points: readonly (PortFaultPoint | StatementFaultPoint)[];
  /** Which hits of the point; the first without. */
  readonly hits?: readonly number[];
}

/** A few seconds alone; each wait has a deadline of its own. */
const TEST_TIMEOUT_MS = 240_000;

/** In the middle of unpacking: nothing has switched. */
const IN_DEPLOY = { point: 'target.files.file_written', hit: 1 } as const;

const WANTED = new RegExp(process.env['CRASH_POINTS_OF'] ?? '');

export function describeCrashes(plans: Readonly<Record<string, CrashPlan>>): void {
  let stage: CrashStage;
  let approver = '';
  let number = 0;
  beforeAll(async () => {
    stage = await makeCrashStage();
    const { code } = await stage.caller()('createPerson', { body: { subject: 'eve', roles: ['approver@*'] } });
    approver = (await stage.caller('')('login', { body: { code } })).token;
  });
  afterAll(() => stage.remove());

  for (const [title, { scenario, points, hits = [1] }] of Object.entries(plans)) {
    const deaths = points.filter((point) => WANTED.test(point)).flatMap((point) => hits.map((hit) => ({ point, hit })));
    // A title without a test would fail.
    if (deaths.length === 0) continue;
    describe(`killed ${title}`, () => {
      it.each(deaths)(
        'at hit $hit of $point, it loses nothing and does nothing twice',
        { timeout: TEST_TIMEOUT_MS },
        async (fault) => {
          number += 1;
          let wanted = 1;
          await scenario({
            stage,
            number,
            approver,
            strike: () => stage.arm(fault),
            strikeAtStart: () => stage.restart(fault),
            strikeAfterDeploy: () => {
              wanted = 2;
              return stage.arm(IN_DEPLOY, fault);
            },
          });
          // Where it is passed only now and then, the scenario may be over before.
          await untilStruck(stage);
          expect(stage.deathCount()).toBe(wanted);
        },
      );
    });
  }
}
