/** Every way in which a promotion ends, played on a stage in memory whose writes are all checked by the safety rules. */
import {
  ALICE,
  BOB,
  makeApprovalGate,
  makeDefinition,
  makeHttpGate,
  makeRelease,
  makeSeededIds,
  makeSoakGate,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  OLGA,
  type Stage,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { EnvironmentDefinition } from '../../environment/environment-definition.ts';
import type { PromotionId } from '../../values/ids.ts';
import { releaseLock } from '../commands/release-lock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Release 3 runs there before. */
const RUNS_3 = { environment: makeWholeEnvironment('prod', makeRelease(3)) };

function endOf(stage: Stage, id: PromotionId): { status: string; code: string | undefined; state: string } {
  const { promotion, environment, locks } = stage.of(id);
  expect(locks).toEqual([]);
  return { status: promotion.status, code: promotion.ending?.code, state: environment.state };
}

function start(patch: Partial<EnvironmentDefinition> = {}, more: Parameters<typeof makeStage>[0] = {}) {
  const stage = makeStage({ definition: makeDefinition(patch), ...more });
  return { stage, id: stage.create() };
}

describe('a promotion that goes well', () => {
  it('passes its steps in their order and becomes what the environment runs', () => {
    const { stage, id } = start({ gates: [makeHttpGate()] });
    const { steps, environment } = stage.play(id);
    const done = ['precheck', 'evaluate_gates', 'acquire_locks', 'preflight', 'deploy', 'verify'];
    const byTime = [...steps].sort((a, b) => done.indexOf(a.step) - done.indexOf(b.step));
    expect(byTime.filter((run) => run.state === 'succeeded').map((run) => run.step)).toEqual(done);
    expect(environment).toMatchObject({ releaseId: makeRelease(5).id, state: 'whole' });
    expect(endOf(stage, id)).toEqual({ status: 'completed', code: undefined, state: 'whole' });
  });
});

describe('before the locks', () => {
  it('fails with precheck.failed when the precheck is required and its hold ends', () => {
    const { stage, id } = start();
    stage.answer(id, 'precheck_artifact', 'web', { outcome: 'failed', message: 'no such manifest' });
    stage.answerAll(id);
    expect(stage.of(id).promotion.status).toBe('in_progress');
    stage.wait(HOUR_MS);
    stage.look(id);
    expect(endOf(stage, id)).toMatchObject({ status: 'failed', code: 'precheck.failed' });
  });

  it('goes on with a warning when the precheck may warn', () => {
    const { stage, id } = start({ precheck: 'warn' });
    stage.answerAll(id, { outcome: 'failed', message: 'down' });
    expect(stage.of(id).steps.find((run) => run.step === 'precheck')?.message).toContain('went on with a warning');
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('is rejected with gate.failed when a gate says no', () => {
    const { stage, id } = start({ gates: [makeHttpGate()] });
    stage.play(id, 'evaluate_gates');
    stage.answer(id, 'gate', 'tests', { outcome: 'failed', message: '3 tests failed' });
    expect(endOf(stage, id)).toMatchObject({ status: 'rejected', code: 'gate.failed' });
  });

  it('is rejected with gate.rejected when a person says no', () => {
    const { stage, id } = start({ gates: [makeApprovalGate()] });
    stage.play(id, 'evaluate_gates');
    stage.reject(id, BOB, 'not on a Friday');
    stage.look(id);
    expect(endOf(stage, id)).toMatchObject({ status: 'rejected', code: 'gate.rejected' });
  });

  it('fails with gate.hold_ended after the last attempt and the hold, unless a retry came', () => {
    const { stage, id } = start({ gates: [makeHttpGate({ retryCount: 1 })] });
    stage.play(id, 'evaluate_gates');
    const fail = (): void => {
      stage.answer(id, 'gate', 'tests', { outcome: 'timeout', code: 'gate.timeout', message: 'no answer' });
    };
    fail();
    expect(stage.of(id).gateRuns[0]).toMatchObject({ state: 'waiting', attemptCount: 1 });
    stage.wait(10_000);
    stage.look(id);
    fail();
    expect(stage.of(id).gateRuns[0]).toMatchObject({ state: 'timeout', attemptCount: 2 });
    stage.retry(id);
    stage.look(id);
    expect(stage.of(id).gateRuns[0]).toMatchObject({ state: 'evaluating', attemptCount: 3, attemptLimit: 4 });
    fail();
    stage.wait(40_000);
    stage.look(id);
    fail();
    stage.wait(HOUR_MS);
    stage.look(id);
    expect(endOf(stage, id)).toMatchObject({ status: 'failed', code: 'gate.hold_ended' });
  });

  it('fails with gate.deadline when nobody approves in time', () => {
    const { stage, id } = start({ gates: [makeApprovalGate({ deadlineMs: HOUR_MS })] });
    stage.play(id, 'evaluate_gates');
    expect(stage.of(id).promotion.status).toBe('pending_approval');
    stage.wait(HOUR_MS);
    stage.look(id);
    expect(endOf(stage, id)).toMatchObject({ status: 'failed', code: 'gate.deadline' });
  });

  it('soaks from the moment that its predecessor was verified', () => {
    const predecessors = [makeWholeEnvironment('dev', makeRelease(5))];
    const { stage, id } = start({ gates: [makeSoakGate()], promotesFrom: ['dev'] }, { predecessors });
    stage.play(id, 'evaluate_gates');
    stage.look(id);
    expect(stage.of(id).gateRuns[0]?.dueAtMs).toBe(stage.nowMs() + 10 * MINUTE_MS);
    stage.wait(10 * MINUTE_MS);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('is superseded with promotion.overtaken when a newer release is there first', () => {
    const { stage, id: older } = start({ gates: [makeApprovalGate()] });
    stage.play(older, 'evaluate_gates');
    const newer = stage.create({ release: 6 });
    stage.play(newer, 'evaluate_gates');
    stage.approve(newer, BOB);
    expect(stage.play(newer).promotion.status).toBe('completed');
    stage.approve(older, BOB);
    stage.look(older);
    expect(endOf(stage, older)).toMatchObject({ status: 'superseded', code: 'promotion.overtaken' });
  });
});

describe('at the locks', () => {
  it('waits for its turn, in the order of tickets, and a high priority first', () => {
    const { stage, id: first } = start();
    stage.play(first, 'deploy');
    const second = stage.create({ release: 6 });
    const third = stage.create({ release: 7, priority: 'high' });
    stage.play(second, 'acquire_locks');
    stage.look(second);
    stage.play(third, 'acquire_locks');
    stage.look(third);
    expect(stage.of(second).promotion.step).toBe('acquire_locks');
    stage.play(first);
    stage.wait(1);
    stage.look(second);
    expect(stage.of(second).locks).toEqual([]);
    expect(stage.play(third).promotion.status).toBe('completed');
    stage.wait(1);
    stage.look(second);
    expect(endOf(stage, second)).toMatchObject({ status: 'superseded', code: 'promotion.overtaken' });
  });

  it('fails with queue.max_wait when the lock never comes', () => {
    const { stage, id: holder } = start({ deployDeadlineMs: 100 * HOUR_MS });
    stage.play(holder, 'deploy');
    const waiter = stage.create({ release: 6 });
    stage.play(waiter, 'acquire_locks');
    stage.look(waiter);
    stage.wait(31_000);
    stage.look(waiter);
    expect(stage.of(waiter).promotion.status).toBe('queued');
    stage.wait(24 * HOUR_MS);
    stage.look(waiter);
    expect(endOf(stage, waiter)).toMatchObject({ status: 'failed', code: 'queue.max_wait' });
  });

  it('goes back to its gates when a verdict has expired while it waited, at last with gate.rounds', () => {
    const { stage, id: holder } = start({ gates: [makeHttpGate({ validForMs: MINUTE_MS })] });
    stage.play(holder, 'deploy');
    const waiter = stage.create({ release: 6 });
    stage.play(waiter, 'acquire_locks');
    for (let round = 1; stage.of(waiter).promotion.endedAtMs === null && round < 20; round += 1) {
      stage.look(waiter);
      stage.wait(MINUTE_MS);
      stage.look(waiter);
      if (stage.of(waiter).promotion.step === 'evaluate_gates') stage.play(waiter, 'acquire_locks');
    }
    expect(stage.of(waiter).gateRuns.length).toBeGreaterThan(1);
    expect(endOf(stage, waiter)).toMatchObject({ status: 'failed', code: 'gate.rounds' });
  });

  it('fails with lock.revoked, without a rollback, when its lock is taken away', () => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, 'deploy');
    const [lock] = stage.of(id).locks;
    const input = { isForced: false, isStale: false, reason: 'stuck' };
    const take = (isForced: boolean): unknown =>
      stage.command(
        id,
        (snapshot, context) =>
          releaseLock(snapshot, context, OLGA, {
            ...input,
            isForced,
            lockId: lock?.id ?? makeSeededIds(1).next('lck'),
          }),
        true,
      );
    expect(() => take(false)).toThrow(expect.objectContaining({ code: 'lock.live_holder' }));
    take(true);
    expect(endOf(stage, id)).toEqual({ status: 'failed', code: 'lock.revoked', state: 'unknown' });
    expect(() => take(true)).toThrow(expect.objectContaining({ code: 'lock.not_found' }));
  });

  it('fails with preflight.failed when a target is down, with nothing changed', () => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, 'preflight');
    stage.answerAll(id, { outcome: 'failed', message: 'read-only file system' });
    expect(endOf(stage, id)).toEqual({ status: 'failed', code: 'preflight.failed', state: 'whole' });
  });
});

describe('an artifact that was deleted since the precheck', () => {
  it('is named before a target is touched', () => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, 'preflight');
    const code = 'registry.artifact_missing';
    stage.answer(id, 'preflight_artifact', 'web', { outcome: 'failed', code, message: 'no content sha256:1' });
    stage.answerAll(id);
    expect(endOf(stage, id)).toEqual({ status: 'failed', code: 'preflight.failed', state: 'whole' });
    const { promotion, attempts, locks } = stage.of(id);
    expect(promotion.ending?.message).toBe('web: no content sha256:1');
    expect([attempts.filter((one) => one.fence !== null), locks]).toEqual([[], []]);
  });
});

describe('at the targets', () => {
  it('rolls back with deploy.failed when a target says no', () => {
    const { stage, id } = start({ targets: [makeTarget(), makeTarget({ name: 'web-2' })] }, RUNS_3);
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1', { outcome: 'failed', message: 'disk full' });
    stage.answer(id, 'deploy', 'web-2');
    expect(stage.of(id).promotion.step).toBe('rollback');
    stage.play(id);
    expect(endOf(stage, id)).toEqual({ status: 'rolled_back', code: 'deploy.failed', state: 'whole' });
    expect(stage.of(id).environment.releaseId).toBe(makeRelease(3).id);
  });

  it('fails and leaves a mixed environment with onFailure: hold', () => {
    const { stage, id } = start({ onFailure: 'hold' }, RUNS_3);
    stage.play(id, 'deploy');
    stage.answerAll(id, { outcome: 'failed', message: 'disk full' });
    expect(endOf(stage, id)).toEqual({ status: 'failed', code: 'deploy.failed', state: 'mixed' });
  });

  it('tries an unclear outcome three times, each with a new fence', () => {
    const { stage, id } = start({ onFailure: 'hold' });
    stage.play(id, 'deploy');
    for (let count = 0; count < 3; count += 1) stage.answerAll(id, { outcome: 'error', message: 'connection reset' });
    const fences = stage.of(id).attempts.flatMap((one) => (one.purpose === 'deploy' ? [one.fence?.n ?? 0] : []));
    expect(fences).toHaveLength(3);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
    expect(endOf(stage, id)).toMatchObject({ status: 'failed', code: 'deploy.failed' });
  });

  it('ends with deploy.deadline when the time under lock is over', () => {
    const { stage, id } = start({ onFailure: 'hold' });
    stage.play(id, 'deploy');
    stage.wait(15 * MINUTE_MS);
    stage.answerAll(id, { outcome: 'timeout', message: 'no end' });
    expect(endOf(stage, id)).toMatchObject({ status: 'failed', code: 'deploy.deadline' });
  });

  it('rolls back with verify.failed when something else runs than was promised', () => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, 'verify');
    for (let count = 0; count < 3 && stage.of(id).promotion.step === 'verify'; count += 1) {
      stage.answerAll(id, { digest: makeRelease(1).components[0]?.digest ?? null });
    }
    stage.play(id);
    expect(endOf(stage, id)).toEqual({ status: 'rolled_back', code: 'verify.failed', state: 'whole' });
  });

  it('fails with rollback.failed when that does not work either', () => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, 'deploy');
    stage.answerAll(id, { outcome: 'failed', message: 'disk full' });
    stage.answerAll(id, { outcome: 'failed', message: 'still full' });
    expect(endOf(stage, id)).toEqual({ status: 'failed', code: 'rollback.failed', state: 'mixed' });
    expect(stage.of(id).promotion.ending?.message).toContain('it followed: web-1: disk full');
  });
});

describe('a cancellation', () => {
  it.each(['precheck', 'evaluate_gates', 'preflight'] as const)('in %s ends at once, promotion.cancelled', (step) => {
    const { stage, id } = start({ gates: [makeHttpGate()] }, RUNS_3);
    stage.play(id, step);
    stage.cancel(id);
    stage.look(id);
    expect(endOf(stage, id)).toEqual({ status: 'cancelled', code: 'promotion.cancelled', state: 'whole' });
  });

  it.each(['deploy', 'verify'] as const)('in %s lets what runs end, then rolls back', (step) => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, step);
    stage.cancel(id);
    stage.look(id);
    expect(stage.of(id).promotion.status).toBe('cancelling');
    stage.play(id);
    expect(endOf(stage, id)).toMatchObject({ code: 'promotion.cancelled', state: 'whole' });
    expect(stage.of(id).environment.releaseId).toBe(makeRelease(3).id);
  });
});

describe('a takeover', () => {
  it('seals what is unclear, takes over what the target recorded, and goes on', () => {
    const { stage, id } = start({}, RUNS_3);
    stage.play(id, 'deploy');
    const before = stage.of(id).locks[0]?.fence.n ?? 0;
    const deploy = stage.of(id).attempts.find((one) => one.purpose === 'deploy');
    stage.takeOver(id);
    expect(stage.of(id).locks[0]?.fence.n).toBeGreaterThan(before);
    stage.answer(id, 'seal', 'web-1', {
      sealed: { operationId: deploy?.operationId ?? '', outcome: 'succeeded' },
      digest: makeRelease(5).components[0]?.digest ?? null,
    });
    expect(stage.of(id).promotion.step).toBe('verify');
    stage.wait(1);
    stage.play(id);
    expect(stage.of(id).attempts.filter((one) => one.purpose === 'deploy')).toHaveLength(1);
    expect(endOf(stage, id)).toMatchObject({ status: 'completed' });
  });
});

describe('what people may do', () => {
  it('is refused with auth.own_request, auth.forbidden, approval.repeated', () => {
    const { stage, id } = start({ gates: [makeApprovalGate({ count: 2 })] });
    stage.play(id, 'evaluate_gates');
    expect(() => stage.approve(id, ALICE)).toThrow(expect.objectContaining({ code: 'auth.own_request' }));
    expect(() => stage.approve(id, OLGA)).toThrow(expect.objectContaining({ code: 'auth.forbidden' }));
    stage.approve(id, BOB);
    expect(() => stage.approve(id, BOB)).toThrow(expect.objectContaining({ code: 'approval.repeated' }));
    expect(() => stage.approve(id, BOB, 'sing')).toThrow(expect.objectContaining({ code: 'gate.not_found' }));
  });

  it('is refused with promotion.illegal_transition, naming the status and what is possible', () => {
    const { stage, id } = start();
    stage.play(id);
    const refusal = { code: 'promotion.illegal_transition', details: { status: 'completed' } };
    expect(() => stage.cancel(id)).toThrow(expect.objectContaining({ code: refusal.code }));
    expect(() => stage.approve(id, BOB)).toThrow(expect.objectContaining({ code: refusal.code }));
    expect(() => stage.retry(id)).toThrow(expect.objectContaining({ code: refusal.code }));
  });
});

describe('what may not even begin', () => {
  it('is refused with promotion.same_as_base, promotion.older_than_base, promotion.live_exists', () => {
    const stage = makeStage(RUNS_3);
    expect(() => stage.create({ release: 3 })).toThrow(expect.objectContaining({ code: 'promotion.same_as_base' }));
    expect(() => stage.create({ release: 2 })).toThrow(expect.objectContaining({ code: 'promotion.older_than_base' }));
    stage.create({ release: 4 });
    expect(() => stage.create({ release: 4 })).toThrow(expect.objectContaining({ code: 'promotion.live_exists' }));
  });

  it('is refused with promotion.not_in_predecessor', () => {
    const predecessors = [makeWholeEnvironment('staging', makeRelease(3))];
    const stage = makeStage({ definition: makeDefinition({ promotesFrom: ['staging'] }), predecessors });
    stage.state.earlierCompletions.clear();
    expect(() => stage.create()).toThrow(expect.objectContaining({ code: 'promotion.not_in_predecessor' }));
  });
});
