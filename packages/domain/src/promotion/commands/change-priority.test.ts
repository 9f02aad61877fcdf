/** The order in which promotions take the lock, after somebody has changed it. */
import { BOB, makeDefinition, makeStage, OLGA, type Stage } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { PromotionId } from '../../values/ids.ts';
import type { Decision } from '../decide/decision.ts';
import type { Priority } from '../status.ts';
import { changePriority } from './change-priority.ts';

function change(stage: Stage, id: PromotionId, priority: Priority, who = OLGA): Decision {
  let made: Decision | null = null;
  stage.command(id, (snapshot, context) => {
    made = changePriority(snapshot, context, who, { priority, reason: 'outage' });
    return made;
  });
  if (made === null) throw new Error('nothing was decided');
  return made;
}

/** One that deploys, and two that wait for its lock. */
function queue(): { stage: Stage; first: PromotionId; second: PromotionId; third: PromotionId } {
  const stage = makeStage({ definition: makeDefinition({}) });
  const first = stage.create();
  stage.play(first, 'deploy');
  const [second, third] = [6, 7].map((release) => {
    const id = stage.create({ release });
    stage.play(id, 'acquire_locks');
    stage.look(id);
    return id;
  });
  if (!second || !third) throw new Error('two were made');
  return { stage, first, second, third };
}

describe('changePriority', () => {
  it('lets the raised one go first, and wakes those who wait', () => {
    const { stage, first, second, third } = queue();
    const decision = change(stage, third, 'high');
    expect(decision.promotion).toMatchObject({ priority: 'high', nextActionAtMs: stage.nowMs() });
    expect(decision.wakesEnvironment).toBe(true);
    expect(decision.events).toEqual([
      expect.objectContaining({
        type: 'promotion.priority_changed',
        data: { from: 'normal', to: 'high', reason: 'outage' },
      }),
    ]);
    stage.play(first);
    stage.wait(1);
    stage.look(second);
    expect(stage.of(second).locks).toEqual([]);
    expect(stage.play(third).promotion.status).toBe('completed');
  });

  it('lets others go before the lowered one', () => {
    const { stage, first, second, third } = queue();
    change(stage, second, 'low');
    stage.play(first);
    stage.wait(1);
    stage.look(second);
    expect(stage.of(second).locks).toEqual([]);
    expect(stage.play(third).promotion.status).toBe('completed');
  });

  it('changes nothing for who holds the lock, nor when it is repeated', () => {
    const { stage, first } = queue();
    const { fence } = stage.of(first).locks[0] ?? {};
    expect(change(stage, first, 'low').wakesEnvironment).toBe(false);
    expect(stage.of(first).locks[0]?.fence).toEqual(fence);
    expect(change(stage, first, 'low').events).toEqual([]);
    expect(stage.play(first).promotion.status).toBe('completed');
  });

  it('is for operators, and for live promotions', () => {
    const { stage, first, second } = queue();
    expect(() => change(stage, second, 'high', BOB)).toThrow(expect.objectContaining({ code: 'auth.forbidden' }));
    stage.play(first);
    expect(() => change(stage, first, 'high')).toThrow(
      expect.objectContaining({ code: 'promotion.illegal_transition' }),
    );
  });
});
