/** Prechecks and preflights of more targets than are looked at together, on a stage in memory. */
import { makeDefinition, makeRelease, makeStage, makeTarget, makeWholeEnvironment, type Stage } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Settings } from '../../settings/settings.ts';
import type { PromotionId } from '../../values/ids.ts';
import type { Attempt } from '../promotion.ts';
import { PREFLIGHT_MAX_MS } from './preflight.ts';

const SECOND_MS = 1_000;
const INTERVAL_MS = 30 * SECOND_MS;
const HOUR_MS = 3_600 * SECOND_MS;

function start(targetCount: number, settings: Partial<Settings>): { stage: Stage; id: PromotionId } {
  const targets = Array.from({ length: targetCount }, (_, index) => makeTarget({ name: `web-${index + 1}` }));
  const environment = makeWholeEnvironment('prod', makeRelease(3));
  const stage = makeStage({ definition: makeDefinition({ targets }), environment, settings });
  return { stage, id: stage.create() };
}

function openOf(stage: Stage, id: PromotionId): readonly Attempt[] {
  return stage.of(id).attempts.filter((attempt) => attempt.result === null);
}

function messageOf(stage: Stage, id: PromotionId): string {
  return stage.of(id).steps.find((run) => run.step === 'precheck')?.message ?? '';
}

/** Answers whatever is asked, the broken with a no, until nothing is open. Answers who was asked, in that order. */
function playRepetition(stage: Stage, id: PromotionId, broken: ReadonlySet<string>): readonly string[] {
  const asked: string[] = [];
  const limit = stage.of(id).settings['limits.targetsAtOnce'];
  for (let open = openOf(stage, id); open[0]?.purpose.startsWith('precheck'); open = openOf(stage, id)) {
    expect(open.length).toBeLessThanOrEqual(limit);
    const { purpose, subject } = open[0];
    if (purpose === 'precheck_target') asked.push(subject);
    const isBroken = broken.has(subject);
    stage.answer(id, purpose, subject, isBroken ? { outcome: 'failed', message: 'down' } : {});
  }
  return asked;
}

const byName = (names: Iterable<string>): string[] => [...names].sort();

describe('the repetitions of a precheck', () => {
  it('ask each broken target once, without a pause in between, and name them together', () => {
    const repetitions = fc.array(fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 7 }),
        repetitions,
        (count, limit, drawn) => {
          const { stage, id } = start(count, { 'limits.targetsAtOnce': limit });
          let due: readonly string[] = Array.from({ length: count }, (_, index) => `web-${index + 1}`);
          for (const words of drawn) {
            const broken = new Set(due.filter((_, index) => words[index]));
            expect(byName(playRepetition(stage, id, broken))).toEqual(byName(due));
            due = due.filter((name) => broken.has(name));
            expect(stage.of(id).promotion.step === 'precheck').toBe(due.length > 0);
            if (due.length === 0) return;
            const named = due.slice(0, 10).map((name) => `${name}: down`);
            const more = due.length > 10 ? [`and ${due.length - 10} more`] : [];
            expect(messageOf(stage, id)).toBe([...named, ...more].join('; '));
            stage.wait(INTERVAL_MS);
            stage.look(id);
          }
          playRepetition(stage, id, new Set());
          expect(stage.of(id).promotion.step).not.toBe('precheck');
        },
      ),
      { numRuns: 40 },
    );
  });

  it('begins nothing further when the hold ends in the middle of one, and names all that are broken', () => {
    const { stage, id } = start(5, { 'limits.targetsAtOnce': 2 });
    const all = new Set(['web-1', 'web-2', 'web-3', 'web-4', 'web-5']);
    playRepetition(stage, id, all);
    stage.wait(INTERVAL_MS);
    stage.look(id);
    expect(openOf(stage, id).map(({ subject }) => subject)).toEqual(['web-1', 'web-2']);
    stage.wait(HOUR_MS);
    for (const subject of ['web-1', 'web-2']) {
      stage.answer(id, 'precheck_target', subject, { outcome: 'failed', message: 'down' });
    }
    const message = [...all].map((name) => `${name}: down`).join('; ');
    expect(stage.of(id).promotion).toMatchObject({ status: 'failed', ending: { code: 'precheck.failed', message } });
  });

  it('comes to all of them by one retry of a person', () => {
    const { stage, id } = start(5, { 'limits.targetsAtOnce': 2 });
    playRepetition(stage, id, new Set(['web-1', 'web-2', 'web-4', 'web-5']));
    stage.retry(id);
    stage.look(id);
    expect(playRepetition(stage, id, new Set(['web-5']))).toEqual(['web-1', 'web-2', 'web-4', 'web-5']);
    expect(messageOf(stage, id)).toBe('web-5: down');
  });

  it('asks those first that were not yet asked when the events are used up in the middle of one', () => {
    const { stage, id } = start(5, { 'limits.targetsAtOnce': 2, 'limits.promotionEvents': 100 });
    const all = new Set(['web-1', 'web-2', 'web-3', 'web-4', 'web-5']);
    let asked = playRepetition(stage, id, all);
    for (let count = 0; count < 40 && asked.length === 5; count += 1) {
      stage.wait(INTERVAL_MS);
      stage.look(id);
      asked = playRepetition(stage, id, all);
    }
    expect(asked.length).toBeLessThan(5);
    stage.retry(id);
    stage.look(id);
    const rest = playRepetition(stage, id, all);
    expect(rest.length).toBeGreaterThan(0);
    expect(rest.filter((name) => asked.includes(name))).toEqual([]);
  });
});

describe('the preflight of more targets than are looked at together', () => {
  const settings = { 'limits.targetsAtOnce': 2, 'probe.timeout': 10 * SECOND_MS };
  const answerNext = (stage: Stage, id: PromotionId, outcome: 'succeeded' | 'failed'): void => {
    const open = openOf(stage, id).filter(({ purpose }) => purpose.startsWith('preflight'));
    for (const { purpose, subject } of open) stage.answer(id, purpose, subject, { outcome, message: 'down' });
  };

  it('blames nobody for the time that others took', () => {
    const { stage, id } = start(9, settings);
    stage.play(id, 'preflight');
    for (let count = 0; count < 9 && stage.of(id).promotion.step === 'preflight'; count += 1) {
      stage.wait(9 * SECOND_MS);
      answerNext(stage, id, 'succeeded');
    }
    const probes = stage.of(id).attempts.filter(({ purpose }) => purpose === 'preflight_target');
    expect(probes.map((one) => one.deadlineAtMs - one.startedAtMs)).toEqual(Array.from({ length: 9 }, () => 10_000));
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('names all that are broken together, before anything is touched', () => {
    const { stage, id } = start(12, settings);
    stage.play(id, 'preflight');
    for (let count = 0; count < 13 && stage.of(id).promotion.step === 'preflight'; count += 1) {
      const open = openOf(stage, id).filter(({ purpose }) => purpose.startsWith('preflight'));
      for (const { purpose, subject } of open) {
        const isBroken = purpose === 'preflight_target' && subject !== 'web-3';
        stage.answer(id, purpose, subject, isBroken ? { outcome: 'failed', message: 'down' } : {});
      }
    }
    const { promotion, attempts } = stage.of(id);
    expect(promotion.ending?.code).toBe('preflight.failed');
    expect(promotion.ending?.message).toMatch(/^web-1: down; .*; web-11: down; and 1 more$/);
    expect(attempts.filter(({ purpose }) => purpose === 'deploy' || purpose === 'rollback')).toEqual([]);
  });

  it('holds the lock no longer for the names of others once one is broken and its time is over', () => {
    const { stage, id } = start(8, settings);
    stage.play(id, 'preflight');
    answerNext(stage, id, 'failed');
    stage.wait(PREFLIGHT_MAX_MS);
    answerNext(stage, id, 'failed');
    const { promotion, locks } = stage.of(id);
    expect(promotion.ending).toMatchObject({ code: 'preflight.failed' });
    expect(promotion.ending?.message).toMatch(/; 5 more were not looked at$/);
    expect(locks).toEqual([]);
  });
});
