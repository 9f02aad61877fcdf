/**
 * Thousands of schedules of the whole life of promotions. A failure prints fast-check's seed and path and a scenario
 * that was made as small as it gets; `STELLA_SIMULATION_SEED` and `STELLA_SIMULATION_RUNS` run others, or more.
 */
import { decide, PROMOTION_STATUSES, STEPS } from '@stella/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SafetyViolation } from './safety-violation.ts';
import { COMMAND_WORDS, type EnvironmentPlan, type RequestPlan, type Scenario } from './scenario.ts';
import { type DecideFunction, simulate } from './simulate.ts';

const RUNS = Number(process.env['STELLA_SIMULATION_RUNS'] ?? 300);
const SEED = Number(process.env['STELLA_SIMULATION_SEED'] ?? 20_260_101);
/** 300 runs take 10 s here. */
const TIMEOUT_MS = 60_000 + RUNS * 500;

const environment: fc.Arbitrary<EnvironmentPlan> = fc.record({
  gates: fc.subarray(['http', 'approval', 'soak'] as const),
  targetCount: fc.integer({ min: 1, max: 3 }),
  onFailure: fc.constantFrom('rollback', 'hold'),
  precheck: fc.constantFrom('required', 'warn'),
  approvalCount: fc.integer({ min: 1, max: 2 }),
  validForMs: fc.constantFrom(86_400_000, 30_000, 8_000, 3_000),
  runs: fc.option(fc.integer({ min: 1, max: 2 })),
});

const request: fc.Arbitrary<RequestPlan> = fc.record({
  atMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 90_000 })),
  release: fc.integer({ min: 1, max: 9 }),
  environment: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2) }),
  priority: fc.constantFrom('normal', 'low', 'high'),
  requester: fc.constantFrom('alice', 'bob', 'ci'),
  goesOn: fc.boolean(),
});

const moment = fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 180_000 }));

/** Releases in the order of their making get further than a newer one that is overtaken by older ones. */
function inOrder(requests: readonly RequestPlan[]): RequestPlan[] {
  const numbers = requests.map((one) => one.release).sort((a, b) => a - b);
  return [...requests]
    .sort((a, b) => a.atMs - b.atMs)
    .map((one, index) => ({ ...one, release: numbers[index] ?? one.release }));
}

const scenario: fc.Arbitrary<Scenario> = fc.record({
  // A smaller seed is another schedule, not a simpler one.
  seed: fc.noShrink(fc.nat(0xffff_ffff)),
  environments: fc.array(environment, { minLength: 1, maxLength: 3 }),
  workerCount: fc.integer({ min: 1, max: 3 }),
  badLuckPercent: fc.constantFrom(0, 3, 10, 30),
  requests: fc
    .tuple(fc.array(request, { minLength: 1, maxLength: 8 }), fc.boolean())
    .map(([requests, isOrdered]) => (isOrdered ? inOrder(requests) : requests)),
  commands: fc.array(fc.record({ atMs: moment, word: fc.constantFrom(...COMMAND_WORDS), pick: fc.nat(99) }), {
    maxLength: 8,
  }),
  faults: fc.array(
    fc.record({
      atMs: moment,
      kind: fc.constantFrom('kill', 'pause', 'retire'),
      pick: fc.nat(9),
      lengthMs: fc.integer({ min: 10, max: 40_000 }),
    }),
    { maxLength: 6 },
  ),
});

describe('simulate', () => {
  it(
    'keeps every promise in any schedule, and passes through all there is',
    () => {
      const totals = new Map<string, number>();
      fc.assert(
        fc.property(scenario, (one) => {
          for (const [what, count] of simulate(one).counts) totals.set(what, (totals.get(what) ?? 0) + count);
        }),
        { numRuns: RUNS, seed: SEED },
      );
      const wanted = [
        ...PROMOTION_STATUSES.map((status) => `status.${status}`),
        ...STEPS.map((step) => `step.${step}`),
        ...['effect.seal', 'effect.rollback_verify', 'event.gate.held', 'event.gate.expired'],
        ...['event.promotion.base_changed', 'event.promotion.retry_requested', 'ending.lock.revoked'],
        ...['worker.took_over', 'worker.claim_lost', 'worker.lost_answer', 'fault.retire', 'rights.changed'],
      ];
      expect(wanted.filter((what) => !totals.has(what))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
