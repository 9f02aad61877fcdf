/**
 * Promotions of some components each, in one environment, in any order of events: every write keeps the rules of the
 * simulation, every state those of `safety/`, and whoever wants what nobody holds or waits for is not kept waiting.
 */
import {
  type EffectPatch,
  type EventCache,
  makeDefinition,
  makeRelease,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  OLGA,
  type Stage,
  toStoreState,
} from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAppError } from '../../errors/app-error.ts';
import type { HashMemo } from '../../safety/store-view.ts';
import { violationsOf } from '../../safety/violations-of.ts';
import type { PromotionId } from '../../values/ids.ts';
import { releaseLock } from '../commands/release-lock.ts';
import { isTerminal, type Step } from '../status.ts';

/** Some seconds on a free machine. */
const TIMEOUT_MS = 300_000;
const NAMES = ['api', 'web', 'worker'] as const;
/** What releases 2 to 9 carry. */
const CARRIED = fc.array(fc.subarray([...NAMES], { minLength: 1 }), { minLength: 8, maxLength: 8 });

type Act =
  | { readonly kind: 'create'; readonly release: number; readonly isLow: boolean }
  | {
      readonly kind: 'enter' | 'work' | 'fail' | 'lose' | 'takeOver' | 'cancel' | 'force' | 'play';
      readonly pick: number;
    }
  | { readonly kind: 'wait'; readonly ms: number };

const pick = fc.nat(20);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      release: fc.integer({ min: 2, max: 9 }),
      isLow: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('work' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('play' as const), pick }) },
  // Up to its deploy, which is under way from then on.
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('enter' as const), pick }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('fail', 'lose', 'takeOver', 'cancel', 'force'), pick }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 1_000, 20_000) }) },
);

/** Every sequence begins with three that are on their way to the targets, some of them beside each other. */
const BEGINNING: readonly Act[] = [2, 3, 4].flatMap((release, index): Act[] => [
  { kind: 'create', release, isLow: false },
  { kind: 'enter', pick: index },
]);

function start(carried: readonly string[][], mode: 0 | 1, onFailure: 'rollback' | 'hold'): Stage {
  const all = makeRelease(1, NAMES);
  const targets = NAMES.map((component) => makeTarget({ name: `${component}-1`, component }));
  return makeStage({
    definition: makeDefinition({ targets, concurrency: 'per_component', onFailure }),
    environment: { ...makeWholeEnvironment('prod', all), concurrency: 'per_component' },
    settings: { 'locks.mode': mode },
    releases: [all, ...carried.map((names, index) => makeRelease(index + 2, names))],
  });
}

function carryOut(stage: Stage, one: Act): void {
  if (one.kind === 'wait') stage.wait(one.ms);
  else if (one.kind === 'create') stage.create({ release: one.release, priority: one.isLow ? 'low' : 'normal' });
  else carryOutOn(stage, one.kind, pickLive(stage, one.pick));
}

/** Refused: there is none. */
function pickLive({ state }: Stage, n: number): PromotionId | null {
  const live = [...state.promotions.values()].filter(({ promotion }) => !isTerminal(promotion.status));
  return live[n % Math.max(1, live.length)]?.promotion.id ?? null;
}

function carryOutOn(stage: Stage, kind: Exclude<Act['kind'], 'create' | 'wait'>, id: PromotionId | null): void {
  if (id === null) return;
  const patches: Readonly<Record<string, EffectPatch>> = {
    work: {},
    fail: { outcome: 'failed', code: 'deploy.failed', digest: null },
    lose: { outcome: 'timeout', code: 'deploy.failed', digest: null },
  };
  const patch = patches[kind];
  const { attempts, promotion, locks } = stage.of(id);
  const isOpen = attempts.some((attempt) => attempt.result === null) && promotion.workerId !== null;
  if (patch) {
    if (isOpen) stage.answerAll(id, patch);
    else stage.look(id);
  } else if (kind === 'play') playOn(stage, id);
  else if (kind === 'enter') playOn(stage, id, 'deploy');
  else if (kind === 'cancel') stage.cancel(id);
  else if (kind === 'takeOver' && promotion.workerId !== null) stage.takeOver(id);
  else if (kind === 'force') {
    const lock = locks.find((candidate) => candidate.mode === 'exclusive');
    const order = lock && { lockId: lock.id, isForced: true, isStale: false, reason: 'stuck' };
    if (order) stage.command(id, (before, context) => releaseLock(before, context, OLGA, order), true);
  }
}

/** Claimed first: what was asked of it meanwhile may end it at once. */
function playOn(stage: Stage, id: PromotionId, until?: Step): void {
  if (stage.of(id).promotion.workerId === null) stage.look(id);
  stage.play(id, until);
  // Which of two completions came last is known by their moment.
  stage.wait(1);
}

/** Each event is hashed once. */
interface Memory {
  readonly events: EventCache;
  readonly hashes: HashMemo;
}

function expectSafe(stage: Stage, { events, hashes }: Memory): void {
  const broken = violationsOf(toStoreState(stage.state, events), stage.nowMs(), { hashes }).filter(
    ({ property, rule }) => property.startsWith('S') || rule === 'L4.turn',
  );
  expect(broken).toEqual([]);
}

describe.each([
  ['pessimistic', 0],
  ['optimistic', 1],
] as const)('components side by side, locks.mode %s', (_name, mode) => {
  it(
    'keep every rule in any order of events, and all end',
    () => {
      let besideCount = 0;
      fc.assert(
        fc.property(
          CARRIED,
          fc.constantFrom('rollback' as const, 'hold' as const),
          fc.array(act, { minLength: 10, maxLength: 60, size: 'max' }),
          (carried, onFailure, acts) => {
            besideCount += playAll(start(carried, mode, onFailure), acts);
          },
        ),
        { numRuns: 25, seed: 20_260_501 },
      );
      expect(besideCount).toBeGreaterThan(10);
    },
    TIMEOUT_MS,
  );
});

/** Answers how often two of them held locks beside each other. */
function playAll(stage: Stage, acts: readonly Act[]): number {
  const memory: Memory = { events: new WeakMap(), hashes: new WeakMap() };
  let besideCount = 0;
  stage.wait(1_000);
  for (const one of [...BEGINNING, ...acts]) {
    stage.wait(1);
    try {
      carryOut(stage, one);
    } catch (error) {
      // Older than what runs, live already, or ended meanwhile.
      if (!isAppError(error)) throw error;
    }
    expectSafe(stage, memory);
    const held = [...stage.state.locks.values()].filter((lock) => lock.releasedAtMs === null);
    const holders = held.filter((lock) => lock.mode === 'exclusive').map((lock) => lock.promotionId);
    if (new Set(holders).size > 1) besideCount += 1;
  }
  endAll(stage);
  expectSafe(stage, memory);
  return besideCount;
}

/** More rounds would be a circle: each brings every promotion at least one step on. */
const ROUNDS_MAX = 60;

function endAll(stage: Stage): void {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const live = [...stage.state.promotions.values()].filter(({ promotion }) => !isTerminal(promotion.status));
    if (live.length === 0) return;
    for (const { promotion } of live) playOn(stage, promotion.id);
    stage.wait(60_000);
  }
  throw new Error('not all of them ended');
}
