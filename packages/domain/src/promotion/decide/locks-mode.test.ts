/** `locks.mode optimistic`: the preflight comes first, the locks in the transaction that deploys. */
import {
  makeDefinition,
  makeRelease,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  putSetting,
  type Stage,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { parseSetting } from '../../settings/settings.ts';
import type { PromotionId } from '../../values/ids.ts';

const SETTINGS = { 'locks.mode': parseSetting('locks.mode', 'optimistic') };

function start(): { stage: Stage; id: PromotionId } {
  const environment = makeWholeEnvironment('prod', makeRelease(3));
  const stage = makeStage({ definition: makeDefinition(), environment, settings: SETTINGS });
  stage.wait(1_000);
  return { stage, id: stage.create() };
}

/** The steps in the order in which the trace shows them. */
function stepsOf(stage: Stage, id: PromotionId): string[] {
  const events = stage.state.promotions.get(id)?.events ?? [];
  return events.flatMap(({ type, data }) =>
    type === 'promotion.step_changed' && data !== null && typeof data === 'object' && 'to' in data
      ? [JSON.stringify(data.to).replaceAll('"', '')]
      : [],
  );
}

describe('a promotion alone', () => {
  it('holds no lock in its preflight and takes all of them as it deploys', () => {
    const { stage, id } = start();
    const { promotion, locks } = stage.play(id, 'preflight');
    expect(promotion).toMatchObject({ ticket: null, preflightRevision: 1, deployDeadlineAtMs: null });
    expect(locks).toEqual([]);
    const decision = stage.answerAll(id);
    expect(decision.takenLocks.map((lock) => lock.mode)).toEqual(['exclusive', 'shared']);
    expect(decision.promotion).toMatchObject({ step: 'deploy', preflightRevision: null });
    expect(stage.play(id).promotion.status).toBe('completed');
    const order = ['evaluate_gates', 'preflight', 'acquire_locks', 'deploy', 'verify', 'null'];
    expect(stepsOf(stage, id)).toEqual(order);
  });

  it('fails with preflight.failed without ever having held a lock', () => {
    const { stage, id } = start();
    stage.play(id, 'preflight');
    stage.answer(id, 'preflight_target', 'web-1', { outcome: 'failed', message: 'no route' });
    stage.answerAll(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'failed', preflightRevision: null });
    expect(stage.state.locks.size).toBe(0);
  });

  it('goes on after a takeover in that preflight, which has nothing to seal', () => {
    const { stage, id } = start();
    stage.play(id, 'preflight');
    const decision = stage.takeOver(id);
    expect(decision).toMatchObject({ lockFence: null, promotion: { step: 'preflight' } });
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('is probed again, under its locks, when the definition was changed meanwhile', () => {
    const { stage, id } = start();
    stage.play(id, 'preflight');
    const place = stage.of(id).environment;
    stage.state.environments.set('prod', { ...place, policyRevision: place.policyRevision + 1 });
    const decision = stage.answerAll(id);
    expect(decision.promotion).toMatchObject({ step: 'preflight', preflightRevision: null });
    expect(stage.of(id).locks).toHaveLength(2);
    expect(stage.play(id).promotion.status).toBe('completed');
    expect(stepsOf(stage, id).filter((step) => step === 'preflight')).toHaveLength(2);
  });

  it('takes its locks first when the mode is changed before its preflight, and as it began when after', () => {
    const { stage, id } = start();
    putSetting(stage.state, 'locks.mode', 0);
    expect(stage.play(id, 'preflight').locks).toHaveLength(2);
    const later = start();
    later.stage.play(later.id, 'preflight');
    putSetting(later.stage.state, 'locks.mode', 0);
    expect(later.stage.answerAll(later.id).promotion.step).toBe('deploy');
  });
});

describe('two promotions', () => {
  it('preflight at the same time; who comes second joins the queue and is probed again under the lock', () => {
    const targets = [makeTarget(), makeTarget({ name: 'web-2' })];
    const stage = makeStage({ definition: makeDefinition({ targets }), settings: SETTINGS });
    const [first, second] = [stage.create({ release: 5 }), stage.create({ release: 6 })];
    for (const id of [first, second]) expect(stage.play(id, 'preflight').locks).toEqual([]);
    expect(stage.answerAll(first).promotion.step).toBe('deploy');
    expect(stage.answerAll(second).promotion).toMatchObject({ step: 'acquire_locks', status: 'in_progress' });
    expect(stage.of(second).promotion.ticket).not.toBeNull();
    expect(stage.play(first).promotion.status).toBe('completed');
    stage.wait(1_000);
    expect(stage.play(second).promotion.status).toBe('completed');
    const order = ['evaluate_gates', 'preflight', 'acquire_locks', 'preflight', 'deploy', 'verify', 'null'];
    expect(stepsOf(stage, second)).toEqual(order);
  });

  it('an overtaken one ends superseded after its preflight', () => {
    const stage = makeStage({ settings: SETTINGS });
    const [older, newer] = [stage.create({ release: 5 }), stage.create({ release: 6 })];
    stage.play(older, 'preflight');
    expect(stage.play(newer).promotion.status).toBe('completed');
    stage.answerAll(older);
    expect(stage.of(older).promotion).toMatchObject({ status: 'superseded', ending: { code: 'promotion.overtaken' } });
  });
});
