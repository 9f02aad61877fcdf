/** Quotas at the start of promotions: nobody takes more places than there are, and they are given in the order of the queue. */
import {
  makeDefinition,
  makeRelease,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  OLGA,
  putSetting,
  type Stage,
  toStoreState,
} from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QuotaDefinition } from '../../environment/quota.ts';
import { violationsOf } from '../../safety/violations-of.ts';
import { STANDARD_SETTINGS } from '../../settings/settings.ts';
import { toRfc3339 } from '../../values/instant.ts';
import type { PromotionId } from '../../values/ids.ts';
import { changePriority } from '../commands/change-priority.ts';
import { isTerminal } from '../status.ts';
import { queueEndsAtMs } from './quotas.ts';

const NAMES = ['api', 'web', 'worker'] as const;
const HOUR_MS = 60 * 60_000;

interface Plan {
  readonly quotas: QuotaDefinition;
  readonly mode?: 0 | 1;
  readonly isByComponent?: boolean;
  /** What releases 2 to 9 carry; default: all of it. */
  readonly carried?: readonly (readonly string[])[];
}

function start({ quotas, mode = 0, isByComponent = false, carried = [] }: Plan): Stage {
  const all = makeRelease(1, NAMES);
  const concurrency = isByComponent ? ('per_component' as const) : ('exclusive' as const);
  const targets = NAMES.map((component) => makeTarget({ name: `${component}-1`, component }));
  const releases = Array.from({ length: 8 }, (_, index) => makeRelease(index + 2, carried[index] ?? NAMES));
  return makeStage({
    definition: makeDefinition({ targets, concurrency, quotas }),
    environment: { ...makeWholeEnvironment('prod', all), concurrency, quotas },
    settings: { 'locks.mode': mode },
    releases: [all, ...releases],
  });
}

function finish(stage: Stage, id: PromotionId): string {
  if (stage.of(id).promotion.workerId === null) stage.look(id);
  const { status } = stage.play(id).promotion;
  stage.wait(1);
  return status;
}

const MODES = [
  ['pessimistic', 0],
  ['optimistic', 1],
] as const;

describe.each(MODES)('a quota that is used up, locks.mode %s', (_name, mode) => {
  it('lets the next wait as queued, without a lock, until it is counted anew', () => {
    const stage = start({ quotas: { perHour: 1, timeZone: 'UTC' }, mode });
    expect(finish(stage, stage.create({ release: 2 }))).toBe('completed');
    const id = stage.create({ release: 3 });
    const { promotion, steps, locks } = stage.play(id);
    const resetsAtMs = (Math.floor(stage.nowMs() / HOUR_MS) + 1) * HOUR_MS;
    expect(promotion).toMatchObject({ status: 'queued', step: 'acquire_locks', quotaWait: 'perHour' });
    expect(locks).toEqual([]);
    const words = `a place in its quota: 1 of 1 starts per hour are used; counted anew ${toRfc3339(resetsAtMs)}`;
    expect(steps.find((run) => run.step === 'acquire_locks')?.message).toBe(`waits for ${words}`);
    stage.wait(resetsAtMs - stage.nowMs() - 1);
    stage.look(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'queued', nextActionAtMs: resetsAtMs });
    stage.wait(1);
    expect(finish(stage, id)).toBe('completed');
    expect(stage.of(id).promotion.quotaWait).toBeNull();
  });

  it('gives the places of a new window in the order of the queue', () => {
    const stage = start({ quotas: { perHour: 1, timeZone: 'UTC' }, mode });
    finish(stage, stage.create({ release: 2 }));
    const ids = [3, 4, 5].map((release) => {
      const id = stage.create({ release });
      stage.play(id);
      stage.wait(1);
      return id;
    });
    const [, second, last] = ids;
    if (!second || !last) throw new Error('three were made');
    const order = { priority: 'high', reason: 'now' } as const;
    stage.command(last, (before, context) => changePriority(before, context, OLGA, order), true);
    stage.wait(HOUR_MS);
    // Whoever asks first: the place is kept for the one whose turn it is.
    for (const id of [second, ids[0] ?? second]) stage.look(id);
    expect(stage.of(second).promotion).toMatchObject({ status: 'queued', quotaWait: 'perHour' });
    expect(finish(stage, last)).toBe('completed');
    // Others have the newer release by now.
    expect(stage.look(second)?.promotion.status).toBe('superseded');
  });

  it('is raised by a setting for whoever waits, and a limit below what is used lets nobody start', () => {
    const stage = start({ quotas: { perDay: 1, timeZone: 'Europe/Vienna' }, mode });
    finish(stage, stage.create({ release: 2 }));
    const id = stage.create({ release: 3 });
    expect(stage.play(id).promotion.quotaWait).toBe('perDay');
    putSetting(stage.state, 'environments.prod.quotas.perDay', 2);
    stage.wait(60_000);
    expect(finish(stage, id)).toBe('completed');
    putSetting(stage.state, 'environments.prod.quotas.perDay', 1);
    expect(stage.play(stage.create({ release: 4 })).promotion.quotaWait).toBe('perDay');
  });
});

describe('what counts', () => {
  it('is a start: who is cancelled while it waits took no place', () => {
    const stage = start({ quotas: { perDay: 2, timeZone: 'UTC' } });
    const first = stage.create({ release: 2 });
    expect(stage.play(first, 'deploy').promotion.step).toBe('deploy');
    stage.wait(1);
    const second = stage.create({ release: 3 });
    expect(stage.play(second).promotion.quotaWait).toBeNull();
    stage.cancel(second);
    stage.look(second);
    expect(stage.of(second).promotion.status).toBe('cancelled');
    expect(finish(stage, first)).toBe('completed');
    expect(finish(stage, stage.create({ release: 4 }))).toBe('completed');
    expect(stage.play(stage.create({ release: 5 })).promotion.quotaWait).toBe('perDay');
  });

  it('is counted once, also when it fails after its start', () => {
    const stage = start({ quotas: { perDay: 1, timeZone: 'UTC' } });
    const id = stage.create({ release: 2 });
    stage.play(id, 'preflight');
    stage.answerAll(id, { outcome: 'failed', message: 'no route' });
    expect(stage.of(id).promotion.status).toBe('failed');
    expect(stage.play(stage.create({ release: 3 })).promotion.quotaWait).toBe('perDay');
  });

  it('never ends a wait for the next day before that day', () => {
    const stage = start({ quotas: { perDay: 1, timeZone: 'UTC' } });
    finish(stage, stage.create({ release: 2 }));
    const id = stage.create({ release: 3 });
    stage.play(id);
    putSetting(stage.state, 'queue.maxWait', 60_000);
    stage.wait(2 * HOUR_MS);
    expect(stage.look(id)?.promotion.status).toBe('queued');
    const limits = { perHour: 1, perDay: null, inProgress: null };
    const use = { limits, timeZone: 'UTC', startsAtMs: [], inProgress: [], startedIds: [] };
    const settings = { ...STANDARD_SETTINGS, 'queue.maxWait': 60_000 };
    const sinceMs = 10 * HOUR_MS + 5;
    expect(queueEndsAtMs(sinceMs, settings, use)).toBe(11 * HOUR_MS + 60_000);
    expect(queueEndsAtMs(sinceMs, settings, null)).toBe(sinceMs + 60_000);
  });

  it('in progress is who holds locks, and a place is kept for who could take it', () => {
    const carried = [['api'], ['api'], ['web'], ['worker']];
    const stage = start({ quotas: { inProgress: 2, timeZone: 'UTC' }, isByComponent: true, carried });
    const first = stage.create({ release: 2 });
    stage.play(first, 'deploy');
    // Behind the first, whose component it wants: it takes no place from the third.
    const behind = stage.create({ release: 3 });
    expect(stage.play(behind).promotion).toMatchObject({ step: 'acquire_locks', quotaWait: null });
    const third = stage.create({ release: 4 });
    expect(stage.play(third, 'deploy').promotion.step).toBe('deploy');
    const fourth = stage.create({ release: 5 });
    expect(stage.play(fourth).promotion).toMatchObject({ status: 'queued', quotaWait: 'inProgress' });
    expect(finish(stage, first)).toBe('completed');
    // The one before it could start now.
    expect(stage.look(fourth)?.promotion.quotaWait).toBe('inProgress');
    expect(finish(stage, behind)).toBe('completed');
    expect(finish(stage, fourth)).toBe('completed');
  });
});

interface Act {
  readonly kind: 'create' | 'enter' | 'finish' | 'cancel' | 'limit' | 'wait';
  readonly n: number;
}
const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom('create', 'create', 'enter', 'enter', 'finish', 'finish', 'cancel', 'limit', 'wait'),
  n: fc.nat(20),
});

function carryOut(stage: Stage, { kind, n }: Act): void {
  const live = [...stage.state.promotions.values()].filter(({ promotion }) => !isTerminal(promotion.status));
  const id = live[n % Math.max(1, live.length)]?.promotion.id;
  const taken = [...stage.state.promotions.values()].map(({ promotion }) => promotion.releaseId);
  if (kind === 'wait') stage.wait([1, 20_000, HOUR_MS][n % 3] ?? 1);
  else if (kind === 'limit') putSetting(stage.state, 'environments.prod.quotas.perHour', 1 + (n % 4));
  else if (kind === 'create' && taken.length < 8) stage.create({ release: taken.length + 2 });
  if (id === undefined) return;
  if (kind === 'cancel') stage.cancel(id);
  if (kind !== 'enter' && kind !== 'finish') return;
  if (stage.of(id).promotion.workerId === null) stage.look(id);
  stage.play(id, kind === 'enter' ? 'deploy' : undefined);
  stage.wait(1);
}

describe.each(MODES)('any order of events, locks.mode %s', (_name, mode) => {
  it('starts no more than allowed, and lets nobody sleep whose turn it is', () => {
    const carried = fc.array(fc.subarray([...NAMES], { minLength: 1 }), { minLength: 8, maxLength: 8 });
    let waits = 0;
    fc.assert(
      fc.property(
        fc.boolean(),
        carried,
        fc.array(act, { minLength: 15, maxLength: 40 }),
        (isByComponent, parts, acts) => {
          const quotas = { perHour: 2, inProgress: 2, timeZone: 'UTC' };
          const stage = start({ quotas, mode, isByComponent, carried: isByComponent ? parts : [] });
          for (const one of acts) {
            carryOut(stage, one);
            const broken = violationsOf(toStoreState(stage.state), stage.nowMs());
            expect(broken.filter(({ property, rule }) => property.startsWith('S') || rule === 'L4.turn')).toEqual([]);
          }
          waits += [...stage.state.promotions.values()].filter(({ promotion }) => promotion.quotaWait !== null).length;
        },
      ),
      { numRuns: 25 },
    );
    expect(waits).toBeGreaterThan(0);
  });
});
