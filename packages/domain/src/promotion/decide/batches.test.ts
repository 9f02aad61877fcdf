/** Deploys in batches, on a stage in memory whose writes are all checked by the rules of the simulation. */
import { makeDefinition, makeRelease, makeStage, makeTarget, makeWholeEnvironment, type Stage } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EnvironmentDefinition } from '../../environment/environment-definition.ts';
import type { Settings } from '../../settings/settings.ts';
import type { PromotionId } from '../../values/ids.ts';
import { isTerminal } from '../status.ts';
import { targetStandings } from '../target-standings.ts';

const MINUTE_MS = 60_000;
const HOLD = { holds: { fence: { epoch: 9, n: 9 }, operation: null } };

interface Plan {
  readonly targetCount: number;
  readonly maxUnavailable?: number;
  readonly definition?: Partial<EnvironmentDefinition>;
  readonly settings?: Partial<Settings>;
}

/** Release 3 runs in prod, release 5 is promoted to web-1, web-2 … */
function start({ targetCount, maxUnavailable, definition, settings = {} }: Plan): { stage: Stage; id: PromotionId } {
  const targets = Array.from({ length: targetCount }, (_, index) => makeTarget({ name: `web-${index + 1}` }));
  const strategy = maxUnavailable === undefined ? {} : { strategy: { kind: 'rolling' as const, maxUnavailable } };
  const stage = makeStage({
    definition: makeDefinition({ targets, ...strategy, ...definition }),
    environment: makeWholeEnvironment('prod', makeRelease(3)),
    settings,
  });
  return { stage, id: stage.create() };
}

function touched(stage: Stage, id: PromotionId): string[] {
  const deploys = stage.of(id).attempts.filter((attempt) => attempt.purpose === 'deploy');
  return [...new Set(deploys.map((attempt) => attempt.subject))];
}

function eventsOf(stage: Stage, id: PromotionId, type: string): string[] {
  const events = [...stage.state.events.values()].map(({ event }) => event);
  return events.flatMap((event) => {
    const data = event.data as { readonly message?: string };
    return event.promotionId === id && event.type === type ? [data.message ?? ''] : [];
  });
}

describe('a rolling deploy', () => {
  it('touches so many targets, verifies them, and only then goes on', () => {
    const { stage, id } = start({ targetCount: 5, maxUnavailable: 2 });
    stage.play(id, 'deploy');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
    stage.answer(id, 'deploy', 'web-1');
    stage.answer(id, 'deploy', 'web-2');
    stage.answer(id, 'batch_verify', 'web-1');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
    stage.answer(id, 'batch_verify', 'web-2');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2', 'web-3', 'web-4']);
    expect(stage.play(id).promotion.status).toBe('completed');
    expect(eventsOf(stage, id, 'deploy.batch_started')).toEqual([
      'batch 1 of 3: web-1, web-2',
      'batch 2 of 3: web-3, web-4',
      'batch 3 of 3: web-5',
    ]);
    expect(eventsOf(stage, id, 'deploy.batch_verified')).toEqual(eventsOf(stage, id, 'deploy.batch_started'));
    expect(targetStandings(stage.of(id)).map(({ batch, state }) => `${batch} ${state}`)).toEqual([
      '1 verified',
      '1 verified',
      '2 verified',
      '2 verified',
      '3 verified',
    ]);
  });

  it('counts each verified batch as progress, so that a long deploy is no stall', () => {
    const { stage, id } = start({ targetCount: 2, maxUnavailable: 1 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.wait(5 * MINUTE_MS);
    stage.answer(id, 'batch_verify', 'web-1');
    expect(stage.of(id).promotion.lastProgressAtMs).toBe(stage.nowMs());
  });

  it('begins no further batch when a target is unhealthy, and restores the touched ones only, each verified', () => {
    const { stage, id } = start({ targetCount: 4, maxUnavailable: 2 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.answer(id, 'deploy', 'web-2');
    stage.answer(id, 'batch_verify', 'web-1');
    stage.answer(id, 'batch_verify', 'web-2', { outcome: 'failed', code: 'target.unhealthy', message: 'status 500' });
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', ending: { code: 'verify.failed' } });
    const { promotion, environment, attempts } = stage.play(id);
    expect(promotion.status).toBe('rolled_back');
    expect(environment.state).toBe('whole');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
    const seen = attempts.filter((attempt) => attempt.purpose === 'rollback_verify').map((attempt) => attempt.subject);
    expect(seen).toEqual(['web-1', 'web-2']);
  });

  it('calls a mixed environment whole after a rollback only when every target was seen (seed 106)', () => {
    for (const maxUnavailable of [1, 3]) {
      const { stage, id } = start({ targetCount: 3, maxUnavailable });
      stage.state.environments.set('prod', { ...makeWholeEnvironment('prod', makeRelease(3)), state: 'mixed' });
      stage.play(id, 'deploy');
      for (const name of touched(stage, id))
        stage.answer(id, 'deploy', name, { outcome: 'failed', code: 'target.denied' });
      expect(stage.play(id).promotion.status).toBe('rolled_back');
      expect(stage.state.environments.get('prod')?.state).toBe(maxUnavailable === 1 ? 'mixed' : 'whole');
    }
  });

  it('with onFailure: hold leaves them and says which target runs what', () => {
    const { stage, id } = start({ targetCount: 8, maxUnavailable: 2, definition: { onFailure: 'hold' } });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.answer(id, 'deploy', 'web-2', { outcome: 'failed', code: 'deploy.failed', message: 'no space' });
    const { promotion, environment } = stage.of(id);
    expect(environment.state).toBe('mixed');
    expect(promotion.ending).toEqual({
      code: 'deploy.failed',
      message:
        'web-2: no space; web-1 runs shop-5; what web-2 runs is not known; web-3, web-4, web-5, web-6, web-7 and 1 more run shop-3',
    });
  });

  it('says of no untouched target what it runs when the environment was mixed or unknown before', () => {
    for (const state of ['mixed', 'unknown'] as const) {
      const { stage, id } = start({ targetCount: 3, maxUnavailable: 1, definition: { onFailure: 'hold' } });
      stage.state.environments.set('prod', { ...makeWholeEnvironment('prod', makeRelease(3)), state });
      stage.play(id, 'deploy');
      stage.answer(id, 'deploy', 'web-1', { outcome: 'failed', code: 'deploy.failed', message: 'no space' });
      const { promotion } = stage.of(id);
      expect(promotion.ending?.message).toBe('web-1: no space; what web-1, web-2, web-3 run is not known');
      expect(targetStandings(stage.of(id)).map((one) => `${one.state} ${one.runs}`)).toEqual([
        'failed unknown',
        'untouched unknown',
        'untouched unknown',
      ]);
    }
  });

  it('keeps what is known of targets after the promotion has left the environment mixed, and after the next one', () => {
    const { stage, id } = start({ targetCount: 2, maxUnavailable: 1, definition: { onFailure: 'hold' } });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1', { outcome: 'refused', code: 'fence.refused', message: 'a newer fence' });
    const standings = (): string[] => targetStandings(stage.of(id)).map((one) => `${one.state} ${one.runs}`);
    expect(stage.of(id).environment.state).toBe('mixed');
    // Whoever brought the newer fence may have changed it.
    expect(standings()).toEqual(['failed unknown', 'untouched old']);
    stage.state.environments.set('prod', makeWholeEnvironment('prod', makeRelease(7)));
    expect(standings()).toEqual(['failed unknown', 'untouched old']);
  });

  it('knows what was restored by the base of then, also when another release runs by now', () => {
    const { stage, id } = start({ targetCount: 2, maxUnavailable: 1 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1', { outcome: 'failed', code: 'deploy.failed', message: 'no space' });
    expect(stage.play(id).promotion.status).toBe('rolled_back');
    stage.state.environments.set('prod', makeWholeEnvironment('prod', makeRelease(7)));
    expect(targetStandings(stage.of(id)).map((one) => `${one.state} ${one.runs}`)).toEqual([
      'restored old',
      'untouched old',
    ]);
  });

  it('hears a cancellation between two batches: nothing further is touched', () => {
    const { stage, id } = start({ targetCount: 4, maxUnavailable: 2 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.answer(id, 'deploy', 'web-2');
    stage.cancel(id);
    stage.answer(id, 'batch_verify', 'web-1');
    stage.answer(id, 'batch_verify', 'web-2');
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', status: 'cancelling' });
    expect(stage.play(id).promotion.status).toBe('rolled_back');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
  });

  it('stops between two batches when a target is ahead of the database', () => {
    const { stage, id } = start({ targetCount: 4, maxUnavailable: 2 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.answer(id, 'deploy', 'web-2');
    stage.answer(id, 'batch_verify', 'web-1');
    stage.answer(id, 'batch_verify', 'web-2', HOLD);
    const { promotion } = stage.of(id);
    expect(promotion).toMatchObject({ status: 'failed', ending: { code: 'fence.behind' } });
    expect(promotion.ending?.message).toContain('web-1, web-2 run shop-5; web-3, web-4 run shop-3');
  });

  it('goes on in the middle of a batch after a takeover, without touching anything twice', () => {
    const { stage, id } = start({ targetCount: 4, maxUnavailable: 2 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.takeOver(id);
    stage.answer(id, 'seal', 'web-2', { sealed: { operationId: `${id}.deploy.web-2.1`, outcome: 'succeeded' } });
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
    expect(stage.play(id).promotion.status).toBe('completed');
    const deploys = stage.of(id).attempts.filter((attempt) => attempt.purpose === 'deploy');
    expect(deploys.map((attempt) => attempt.number)).toEqual([1, 1, 1, 1]);
  });

  it('fails with deploy.deadline when its time is over between two batches', () => {
    const { stage, id } = start({ targetCount: 2, maxUnavailable: 1, definition: { deployDeadlineMs: MINUTE_MS } });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.wait(MINUTE_MS);
    stage.answer(id, 'batch_verify', 'web-1');
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', ending: { code: 'deploy.deadline' } });
    expect(touched(stage, id)).toEqual(['web-1']);
  });
});

describe('limits.targetsAtOnce', () => {
  it('bounds probes, operations and observations of a promotion, whatever goes wrong', () => {
    const outcomes = fc.array(fc.constantFrom('succeeded', 'succeeded', 'succeeded', 'error', 'failed'), {
      size: 'large',
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        outcomes,
        (targetCount, limit, words) => {
          const settings = { 'limits.targetsAtOnce': limit };
          const { stage, id } = start({ targetCount, settings });
          const drawn = [...words];
          for (let count = 0; count < 200 && !isTerminal(stage.of(id).promotion.status); count += 1) {
            const open = stage.of(id).attempts.filter((attempt) => attempt.result === null);
            expect(open.filter(({ purpose }) => purpose !== 'precheck_artifact').length).toBeLessThanOrEqual(limit);
            const [next] = open;
            if (!next) {
              stage.wait(MINUTE_MS);
              stage.look(id);
            } else stage.answer(id, next.purpose, next.subject, { outcome: drawn.shift() ?? 'succeeded' });
          }
          expect(isTerminal(stage.of(id).promotion.status)).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('opens no further operation of all targets at once when one has failed', () => {
    const { stage, id } = start({ targetCount: 6, settings: { 'limits.targetsAtOnce': 2 } });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1', { outcome: 'failed', message: 'no space' });
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
    stage.answer(id, 'deploy', 'web-2');
    expect(stage.play(id).promotion.status).toBe('rolled_back');
    expect(touched(stage, id)).toEqual(['web-1', 'web-2']);
  });
});
