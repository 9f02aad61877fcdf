import { makeDefinition, makeHttpGate, makeSeededIds, makeStage, type Stage } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { type Decision, type PromotionId, takeCallback } from '../../index.ts';

const TIMEOUT_MS = 30 * 60_000;
const BACKOFF_MS = 10_000;
const GATE = makeHttpGate({
  timeoutMs: TIMEOUT_MS,
  backoffMs: BACKOFF_MS,
  retryCount: 1,
  callback: { secret: 'env:STELLA_SECRET_TESTS' },
});

/** At its gate, whose service has taken the question. */
function taken(): { stage: Stage; id: PromotionId; decision: Decision } {
  const stage = makeStage({ definition: makeDefinition({ gates: [GATE] }) });
  const id = stage.create();
  stage.play(id, 'evaluate_gates');
  return { stage, id, decision: stage.answer(id, 'gate', 'tests', { outcome: 'acknowledged' }) };
}

function callBack(stage: Stage, id: PromotionId, patch: Partial<Parameters<typeof takeCallback>[2]> = {}): Decision {
  const snapshot = stage.of(id);
  const attempt = snapshot.attempts.findLast((one) => one.purpose === 'gate');
  if (!attempt || attempt.gateRunId === null) throw new Error('nothing was asked');
  const { operationId, gateRunId } = attempt;
  const { components } = snapshot.release;
  const context = { nowMs: stage.nowMs(), ids: makeSeededIds(7), guard: null, isTakeover: false };
  return takeCallback(snapshot, context, {
    operationId,
    gateRunId,
    components,
    verdict: 'passed',
    message: 'all well',
    ...patch,
  });
}

describe('a question that was taken', () => {
  it('is waited for by nobody, until the deadline of its attempt', () => {
    const { stage, id, decision } = taken();
    expect(decision.effects).toEqual([]);
    expect(decision.promotion).toMatchObject({ workerId: null, status: 'in_progress' });
    expect(decision.promotion.nextActionAtMs).toBeLessThanOrEqual(stage.nowMs() + 60_000);
    stage.wait(TIMEOUT_MS - 1);
    stage.play(id);
    expect(stage.of(id).gateRuns).toMatchObject([{ state: 'evaluating', attemptCount: 1 }]);
    stage.wait(1);
    stage.play(id);
    const { attempts, gateRuns } = stage.of(id);
    expect(attempts.find((one) => one.purpose === 'gate')?.result).toMatchObject({
      outcome: 'timeout',
      code: 'gate.no_callback',
      message: 'took the question and did not call back within 30m',
    });
    expect(gateRuns).toMatchObject([{ state: 'waiting', nextAttemptAtMs: stage.nowMs() + BACKOFF_MS }]);
  });
});

describe('a callback', () => {
  it('ends the attempt and makes the promotion due', () => {
    const { stage, id } = taken();
    const { settledAttempts, promotion, events } = callBack(stage, id);
    expect(settledAttempts).toMatchObject([{ result: { outcome: 'passed', message: 'all well' } }]);
    expect(promotion.nextActionAtMs).toBe(stage.nowMs());
    expect(events).toMatchObject([{ type: 'attempt.ended', actor: { kind: 'system', name: 'gate tests' } }]);
  });

  it('is void from the deadline on, and for an attempt that has ended', () => {
    const { stage, id } = taken();
    stage.wait(TIMEOUT_MS);
    expect(() => callBack(stage, id)).toThrow('its deadline has come');
    stage.play(id);
    expect(() => callBack(stage, id)).toThrow('it ended as gate.no_callback');
  });

  it('counts for no other run, and for no other digests', () => {
    const { stage, id } = taken();
    expect(() => callBack(stage, id, { gateRunId: makeSeededIds(8).next('gtr') })).toThrow('gateRunId');
    expect(() => callBack(stage, id, { components: [] })).toThrow('release.components');
    expect(() => callBack(stage, id, { operationId: 'prm_1.gate.tests.1' })).toThrow('no gate was asked');
  });
});
