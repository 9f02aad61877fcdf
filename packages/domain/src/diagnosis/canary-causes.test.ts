/** What is said of a canary: that it soaks, that its judge says no, or does not answer; and of a batch that is held up. */
import {
  caseOf,
  makeCanary,
  makeDefinition,
  makeRelease,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { diagnose, type EnvironmentDefinition, type PromotionId } from '../index.ts';

const SOAK_MS = 10_000;
const INTERVAL_MS = 5_000;
const NO = { outcome: 'failed', code: 'canary.failed', message: '0.4 is more than 0.01' } as const;
const SILENCE = { outcome: 'timeout', code: 'canary.unanswered', message: 'no answer within 2000 ms' } as const;

function start(patch: Partial<EnvironmentDefinition>) {
  const targets = [1, 2].map((number) => makeTarget({ name: `web-${number}` }));
  const stage = makeStage({
    definition: makeDefinition({ targets, ...patch }),
    environment: makeWholeEnvironment('prod', makeRelease(3)),
  });
  const id: PromotionId = stage.create();
  stage.play(id, 'deploy');
  stage.answer(id, 'deploy', 'web-1');
  return { stage, id };
}

function soaking(patch: Partial<EnvironmentDefinition> = {}) {
  const { stage, id } = start({ strategy: makeCanary(), ...patch });
  stage.answer(id, 'batch_verify', 'web-1');
  return { stage, id };
}

describe('a canary', () => {
  it('that soaks is waited for, until its soak is over', () => {
    const { stage, id } = soaking();
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: stage.nowMs() + SOAK_MS });
    const [cause] = diagnosis.causes;
    expect(cause?.code).toBe('soak.running');
    expect(cause?.facts[1]?.value).toBe('asked 0 times, 0 without a yes, 1 allowed');
    expect(cause?.remedies[0]?.command).toBe(`stella promotion cancel ${id}`);
  });

  it.each([
    ['canary.failed', NO],
    ['canary.unanswered', SILENCE],
  ] as const)('that lacks its last word is held up by %s', (code, how) => {
    const { stage, id } = soaking();
    stage.wait(SOAK_MS);
    stage.look(id);
    stage.answer(id, 'judge', 'canary', how);
    const [cause] = diagnose(caseOf(stage, id)).causes;
    expect(cause).toMatchObject({ code, remedies: [{ kind: 'external' }, { kind: 'wait' }] });
    expect(cause?.facts.at(-1)?.value).toBe(`${how.outcome}: ${how.message}`);
  });

  it.each([
    ['canary.failed', NO],
    ['canary.unanswered', SILENCE],
  ] as const)('that was refused is explained by %s, and what to do then', (code, how) => {
    const { stage, id } = soaking({ onFailure: 'hold' });
    for (const _ of [1, 2]) {
      stage.wait(INTERVAL_MS);
      stage.look(id);
      stage.answer(id, 'judge', 'canary', how);
    }
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.verdict).toBe('ended');
    expect(diagnosis.causes[0]).toMatchObject({
      code,
      remedies: [{ kind: 'external', command: `stella promotion retry ${id}` }],
    });
  });
});

describe('a batch', () => {
  it('that an unhealthy target has held up is explained by that target', () => {
    const { stage, id } = start({ strategy: { kind: 'rolling', maxUnavailable: 1 }, onFailure: 'hold' });
    stage.answer(id, 'batch_verify', 'web-1', { outcome: 'failed', code: 'target.unhealthy', message: 'status 500' });
    const [cause] = diagnose(caseOf(stage, id)).causes;
    expect(cause).toMatchObject({ code: 'target.unhealthy' });
    expect(cause?.facts[0]).toMatchObject({
      what: 'target web-1',
      value: 'batch_verify 1: status 500 (target.unhealthy)',
    });
  });
});
