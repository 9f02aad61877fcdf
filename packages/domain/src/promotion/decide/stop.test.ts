/** An environment whose target is ahead of the database (`fence.behind`), on a stage in memory. */
import { makeDefinition, makeStage, makeTarget, makeWholeEnvironment, makeRelease, type Stage } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { TargetHolding } from '../../environment/environment-stop.ts';
import { raiseFence } from '../../environment/raise-fence.ts';
import type { PromotionId } from '../../values/ids.ts';

const DAY_MS = 24 * 60 * 60_000;
const AHEAD = { epoch: 1, n: 5_000 };
/** An operation that no attempt of this database wrote. */
const LOST: TargetHolding = { fence: AHEAD, operation: { fence: AHEAD, operationId: 'prm_lost.deploy.web.1' } };
const ALICE = { kind: 'person', id: 'per_1', subject: 'admin' } as const;

function start(names: readonly string[] = ['web']): { stage: Stage; id: PromotionId } {
  const targets = names.map((name) => makeTarget({ name }));
  const stage = makeStage({
    definition: makeDefinition({ targets }),
    environment: makeWholeEnvironment('prod', makeRelease(3)),
  });
  return { stage, id: stage.create() };
}

/** What `orch fence raise` does to the rows. */
function cure(stage: Stage, id: PromotionId): void {
  const { environment } = stage.of(id);
  const order = { fence: { epoch: 2, n: 1 }, held: AHEAD, reason: '' };
  const context = { actor: { ...ALICE, id: 'per_1' as never }, nowMs: stage.nowMs() };
  stage.state.environments.set('prod', raiseFence(environment, order, context).environment);
  stage.state.fenceFloors.set('prod', order.fence);
  stage.state.fenceEpoch = 2;
}

const waiting = { step: 'acquire_locks', status: 'in_progress' };

describe('a target that holds what the database does not know', () => {
  it('stops its environment at the precheck: the promotion waits without a lock and says what cures it', () => {
    const { stage, id } = start();
    const { events } = stage.answer(id, 'precheck_target', 'web', { holds: LOST });
    expect(events.map((event) => event.type)).toContain('environment.stopped');
    stage.play(id);
    const { promotion, locks, environment, steps } = stage.of(id);
    expect(promotion).toMatchObject(waiting);
    expect(locks).toEqual([]);
    expect(environment.stop).toMatchObject({ target: 'web', holds: LOST, lacks: 'operation' });
    expect(steps.find((run) => run.step === 'acquire_locks')?.message).toContain('stella orch fence raise --env prod');
  });

  it('makes a promotion in its preflight give its locks back and keep its place; cured, it goes on to its end', () => {
    const { stage, id } = start();
    stage.play(id, 'preflight');
    const { ticket } = stage.of(id).promotion;
    stage.answer(id, 'preflight_target', 'web', { holds: LOST });
    stage.answerAll(id);
    expect(stage.of(id).promotion).toMatchObject({ ...waiting, ticket });
    expect(stage.of(id).locks).toEqual([]);
    expect(stage.of(id).attempts.filter((attempt) => attempt.purpose === 'deploy')).toEqual([]);
    cure(stage, id);
    stage.wait(DAY_MS / 48);
    expect(stage.play(id).promotion.status).toBe('completed');
    expect(stage.of(id).environment).toMatchObject({ state: 'whole', stop: null });
  });

  it('goes back to waiting when every target refused its deploy, because then nothing was changed', () => {
    const { stage, id } = start();
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web', { outcome: 'refused', holds: { fence: AHEAD, operation: null } });
    expect(stage.of(id).promotion).toMatchObject(waiting);
    expect(stage.of(id).environment).toMatchObject({ state: 'whole', stop: { lacks: 'fence' } });
  });

  it('fails with fence.behind and no rollback when another target has taken the deploy', () => {
    const { stage, id } = start(['web', 'web-2']);
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web');
    stage.answer(id, 'deploy', 'web-2', { outcome: 'refused', holds: { fence: AHEAD, operation: null } });
    const { promotion, environment, locks, attempts } = stage.of(id);
    expect(promotion).toMatchObject({ status: 'failed', ending: { code: 'fence.behind' } });
    expect(environment.state).toBe('mixed');
    expect(locks).toEqual([]);
    expect(attempts.filter((attempt) => attempt.purpose === 'rollback')).toEqual([]);
  });

  it('is waited for as long as any lock, and then the promotion fails with fence.behind', () => {
    const { stage, id } = start();
    stage.answer(id, 'precheck_target', 'web', { holds: LOST });
    stage.play(id);
    stage.wait(DAY_MS);
    stage.look(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'failed', ending: { code: 'fence.behind' } });
  });

  it('is nothing new when the fence is one that this database drew', () => {
    const { stage, id } = start();
    stage.wait(1_000);
    stage.answer(id, 'precheck_target', 'web', { holds: { fence: { epoch: 1, n: 0 }, operation: null } });
    expect(stage.play(id).promotion.status).toBe('completed');
  });
});
