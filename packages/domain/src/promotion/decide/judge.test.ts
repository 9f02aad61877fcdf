/** Canaries, on a stage in memory whose writes are all checked by the rules of the simulation. */
import {
  makeCanary,
  makeDefinition,
  makeRelease,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  type Stage,
} from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CanaryStrategy } from '../../environment/deploy-strategy.ts';
import type { EnvironmentDefinition } from '../../environment/environment-definition.ts';
import type { Settings } from '../../settings/settings.ts';
import type { PromotionId } from '../../values/ids.ts';
import { toRfc3339 } from '../../values/instant.ts';
import { isTerminal } from '../status.ts';

const SOAK_MS = 10_000;
const INTERVAL_MS = 5_000;
const NO = { outcome: 'failed', code: 'canary.failed', message: '0.4 is more than 0.01' } as const;
const SILENCE = { outcome: 'timeout', code: 'canary.unanswered', message: 'no answer within 2000 ms' } as const;

/** Release 3 runs in prod, release 5 is promoted to web-1, the canary, and then to web-2 and web-3. */
function start(
  strategy: Partial<CanaryStrategy> = {},
  patch: Partial<EnvironmentDefinition> = {},
  settings: Partial<Settings> = {},
): { stage: Stage; id: PromotionId } {
  const targets = [1, 2, 3].map((number) => makeTarget({ name: `web-${number}` }));
  const definition = makeDefinition({ targets, strategy: makeCanary(strategy), ...patch });
  const stage = makeStage({ definition, environment: makeWholeEnvironment('prod', makeRelease(3)), settings });
  return { stage, id: stage.create() };
}

/** Until the canary is verified, and soaks. */
function startSoaking(...plan: Parameters<typeof start>): { stage: Stage; id: PromotionId } {
  const { stage, id } = start(...plan);
  stage.play(id, 'deploy');
  stage.answer(id, 'deploy', 'web-1');
  stage.answer(id, 'batch_verify', 'web-1');
  return { stage, id };
}

function ask(stage: Stage, id: PromotionId, waitMs: number, patch: Parameters<Stage['answer']>[3] = {}): void {
  stage.wait(waitMs);
  stage.look(id);
  stage.answer(id, 'judge', 'canary', patch);
}

function touched(stage: Stage, id: PromotionId): string[] {
  const deploys = stage.of(id).attempts.filter((attempt) => attempt.purpose === 'deploy');
  return [...new Set(deploys.map((attempt) => attempt.subject))];
}

function judgements(stage: Stage, id: PromotionId): unknown[] {
  return [...stage.state.events.values()].flatMap(({ event }) =>
    event.promotionId === id && event.type === 'deploy.canary_judged' ? [event.data] : [],
  );
}

describe('a canary', () => {
  it('soaks as scheduled, gives its claim back, and says until when', () => {
    const { stage, id } = startSoaking();
    const { promotion, steps } = stage.of(id);
    expect(promotion).toMatchObject({ status: 'scheduled', step: 'deploy', workerId: null });
    expect(promotion.nextActionAtMs).toBe(stage.nowMs() + INTERVAL_MS);
    const run = steps.find((one) => one.step === 'deploy');
    expect(run).toMatchObject({
      state: 'waiting',
      message: `the canary soaks until ${toRfc3339(stage.nowMs() + SOAK_MS)}`,
    });
  });

  it('is asked at its interval and once more at the end, observed again, and then the others follow', () => {
    const { stage, id } = startSoaking();
    ask(stage, id, INTERVAL_MS);
    expect(touched(stage, id)).toEqual(['web-1']);
    ask(stage, id, INTERVAL_MS);
    expect(stage.of(id).promotion.status).toBe('in_progress');
    expect(touched(stage, id)).toEqual(['web-1']);
    stage.answer(id, 'batch_verify', 'web-1');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2', 'web-3']);
    expect(stage.play(id).promotion.status).toBe('completed');
    expect(judgements(stage, id)).toEqual([
      { verdict: 'passed', questions: 2, failures: 0, message: '2 questions, 0 without a yes, 1 allowed' },
    ]);
  });

  it('that its judge refuses once too often is rolled back alone', () => {
    const { stage, id } = startSoaking();
    ask(stage, id, INTERVAL_MS, NO);
    expect(stage.of(id).promotion.step).toBe('deploy');
    ask(stage, id, INTERVAL_MS, NO);
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', ending: { code: 'canary.failed' } });
    expect(stage.play(id).promotion.status).toBe('rolled_back');
    expect(touched(stage, id)).toEqual(['web-1']);
    expect(judgements(stage, id)).toMatchObject([{ verdict: 'failed', failures: 2 }]);
  });

  it('whose judge never answers ends as canary.unanswered, and says which target runs what', () => {
    const { stage, id } = startSoaking({}, { onFailure: 'hold' });
    ask(stage, id, INTERVAL_MS, SILENCE);
    ask(stage, id, INTERVAL_MS, SILENCE);
    const { promotion } = stage.of(id);
    expect(promotion).toMatchObject({ status: 'failed', ending: { code: 'canary.unanswered' } });
    expect(promotion.ending?.message).toContain('no answer within 2000 ms; web-1 runs shop-5; web-2, web-3 run shop-3');
  });

  it('waits for a yes as its last word after the soak, and is worked on again meanwhile', () => {
    const { stage, id } = startSoaking();
    ask(stage, id, SOAK_MS, NO);
    expect(stage.of(id).promotion.status).toBe('in_progress');
    expect(touched(stage, id)).toEqual(['web-1']);
    ask(stage, id, INTERVAL_MS);
    stage.answer(id, 'batch_verify', 'web-1');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2', 'web-3']);
  });

  it('that has fallen ill when its soak is over stops the deploy, whatever the judge said', () => {
    const { stage, id } = startSoaking();
    ask(stage, id, SOAK_MS);
    stage.answer(id, 'batch_verify', 'web-1', { outcome: 'failed', code: 'target.unhealthy', message: 'status 500' });
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', ending: { code: 'verify.failed' } });
    expect(touched(stage, id)).toEqual(['web-1']);
  });

  it('of several targets is judged once, also when they are observed one at a time afterwards', () => {
    const { stage, id } = start({ targets: ['web-1', 'web-2'] }, {}, { 'limits.targetsAtOnce': 1 });
    stage.play(id, 'deploy');
    for (const purpose of ['deploy', 'batch_verify'] as const)
      for (const name of ['web-1', 'web-2']) stage.answer(id, purpose, name);
    ask(stage, id, SOAK_MS);
    for (const name of ['web-1', 'web-2']) stage.answer(id, 'batch_verify', name);
    expect(touched(stage, id)).toEqual(['web-1', 'web-2', 'web-3']);
    expect(judgements(stage, id)).toHaveLength(1);
  });

  it('is cancelled in the middle of its soak', () => {
    const { stage, id } = startSoaking();
    stage.cancel(id);
    stage.look(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'cancelling', step: 'rollback' });
    expect(stage.play(id).promotion.status).toBe('rolled_back');
  });

  it('ends with the time of the deploy', () => {
    const { stage, id } = startSoaking({ soakMs: 60_000 }, { deployDeadlineMs: 70_000 });
    stage.wait(70_000);
    stage.look(id);
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', ending: { code: 'deploy.deadline' } });
  });
});

describe('any canary', () => {
  it('is followed by the others only when its last answer, after the soak, was a yes; and ends', () => {
    const words = fc.array(fc.constantFrom('passed', 'failed', 'timeout', 'error'), { maxLength: 12 });
    fc.assert(
      fc.property(words, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 30 }), (answers, allowed, soakS) => {
        const judge = { ...makeCanary().judge, failuresAllowed: allowed };
        const { stage, id } = start({ soakMs: soakS * 1_000, judge });
        const left = [...answers];
        const given: string[] = [];
        for (let count = 0; count < 100 && !isTerminal(stage.of(id).promotion.status); count += 1) {
          const next = stage.of(id).attempts.find((attempt) => attempt.result === null);
          if (!next) {
            stage.wait(Math.max(1, (stage.of(id).promotion.nextActionAtMs ?? 0) - stage.nowMs()));
            stage.look(id);
          } else if (next.purpose === 'judge') {
            const word = left.shift() ?? 'passed';
            given.push(word);
            stage.answer(id, 'judge', 'canary', { outcome: word });
          } else stage.answer(id, next.purpose, next.subject);
        }
        const failures = given.filter((word) => word !== 'passed').length;
        const isRefused = failures > allowed;
        expect(stage.of(id).promotion.status).toBe(isRefused ? 'rolled_back' : 'completed');
        expect(touched(stage, id)).toHaveLength(isRefused ? 1 : 3);
        expect(isRefused || given.at(-1) === 'passed').toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
