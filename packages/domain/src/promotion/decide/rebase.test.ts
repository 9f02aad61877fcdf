/** A promotion whose environment gets another release while people decide about it, on a stage in memory. */
import {
  ALICE,
  BOB,
  CAROL,
  makeApprovalGate,
  makeDefinition,
  makeRelease,
  makeStage,
  makeWholeEnvironment,
  type Stage,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { PromotionId } from '../../values/ids.ts';

/** Release 3 runs; 5 waits for two approvals; 4 overtakes it at the gates. */
function start(): { stage: Stage; waiting: PromotionId; overtake: () => void } {
  const stage = makeStage({
    definition: makeDefinition({ gates: [makeApprovalGate({ count: 2 })] }),
    environment: makeWholeEnvironment('prod', makeRelease(3)),
  });
  const waiting = stage.create({ release: 5 });
  stage.play(waiting);
  const overtake = (): void => {
    const other = stage.create({ release: 4 });
    stage.play(other);
    stage.wait(1_000);
    stage.approve(other, BOB);
    stage.approve(other, CAROL);
    expect(stage.play(other).promotion.status).toBe('completed');
  };
  return { stage, waiting, overtake };
}

const digest = (release: number): string => makeRelease(release).components[0]?.digest.slice(7, 19) ?? '';
const DIFFERENCE = `the base changed from shop-3 to shop-4: web ${digest(3)} → ${digest(4)}`;
const runsOf = (stage: Stage, id: PromotionId) => stage.of(id).gateRuns.map(({ round, state }) => ({ round, state }));

describe('a base that changes while a promotion waits at its gates', () => {
  it('voids the approvals that were given, says what differs, and asks again in a round that is not counted', () => {
    const { stage, waiting, overtake } = start();
    stage.approve(waiting, BOB);
    overtake();
    const decision = stage.look(waiting);
    const changed = decision?.events.find((event) => event.type === 'promotion.base_changed');
    expect(changed?.data).toMatchObject({
      from: makeRelease(3).id,
      to: makeRelease(4).id,
      differences: [{ component: 'web', from: makeRelease(3).components[0]?.digest }],
    });
    expect(runsOf(stage, waiting)).toEqual([
      { round: 1, state: 'expired' },
      { round: 2, state: 'waiting' },
    ]);
    expect(stage.of(waiting).gateRuns[0]?.message).toBe(`base_changed: ${DIFFERENCE}`);
    expect(stage.of(waiting).gateRuns[1]?.message).toBe(`0 of 2 approved; asked again: ${DIFFERENCE}`);
    // Who approved before may approve again, now over the new base.
    stage.wait(1_000);
    stage.approve(waiting, BOB);
    stage.approve(waiting, CAROL);
    expect(stage.play(waiting).promotion.status).toBe('completed');
  });

  it('opens no round when nobody has answered: the approval is then given over the new base', () => {
    const { stage, waiting, overtake } = start();
    overtake();
    stage.look(waiting);
    expect(runsOf(stage, waiting)).toEqual([{ round: 1, state: 'waiting' }]);
    expect(stage.of(waiting).promotion.baseReleaseId).toBe(makeRelease(4).id);
  });

  it('is told to who approves before it was noticed, as approval.base_changed; a rejection needs no second look', () => {
    const { stage, waiting, overtake } = start();
    overtake();
    const { promotion, formerBase } = stage.of(waiting);
    expect([promotion.baseReleaseId, formerBase?.name]).toEqual([makeRelease(3).id, 'shop-3']);
    expect(() => stage.approve(waiting, BOB)).toThrow(
      expect.objectContaining({
        code: 'approval.base_changed',
        details: { promotionId: waiting, message: DIFFERENCE },
      }),
    );
    stage.reject(waiting, BOB);
    expect(stage.play(waiting).promotion.status).toBe('rejected');
  });

  it('never lets an approval over the old base reach the deploy, whoever approved it', () => {
    const { stage, waiting, overtake } = start();
    stage.approve(waiting, BOB);
    overtake();
    stage.look(waiting);
    stage.approve(waiting, CAROL);
    expect(stage.play(waiting).promotion.step).toBe('evaluate_gates');
    expect(() => stage.approve(waiting, ALICE)).toThrow(expect.objectContaining({ code: 'auth.own_request' }));
  });
});
