/**
 * Thousands of schedules of the whole life of promotions. A failure prints fast-check's seed and path and a scenario
 * that was made as small as it gets; `STELLA_SIMULATION_SEED` and `STELLA_SIMULATION_RUNS` run others, or more.
 */
import { decide, PROMOTION_STATUSES, STEPS } from '@stella/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { personIdOf } from '../fixtures.ts';
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
  queue: fc.constantFrom('fifo', 'latest'),
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
  locksMode: fc.constantFrom('pessimistic', 'optimistic'),
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
        'effect.seal',
        'effect.rollback_verify',
        'event.gate.held',
        'event.gate.expired',
        'event.gate.skipped',
        'event.skip.rejected',
        'event.skip.lapsed',
        'event.skip.used',
        'event.debt.opened',
        'event.debt.superseded',
        'event.promotion.base_changed',
        'event.promotion.retry_requested',
        'ending.lock.revoked',
        'worker.took_over',
        'worker.claim_lost',
        'worker.lost_answer',
        'fault.retire',
        'rights.changed',
        'ending.promotion.replaced',
        'locks.late',
        'locks.late_refused',
        'locks.late_changed',
      ];
      expect(wanted.filter((what) => !totals.has(what))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** Scenarios in which a wrong rule has to show: many promotions in few environments. */
const CROWD = fc.sample(scenario, { numRuns: 400, seed: 7 });

/** The same with definitions that are applied all the time, and locks that come after the preflight. */
const CHANGING: readonly Scenario[] = CROWD.map((one) => ({
  ...one,
  locksMode: 'optimistic',
  commands: [0, 20_000, 60_000].map((atMs) => ({ atMs, word: 'apply', pick: 0 })),
}));

/** The first promise that is seen broken when `decide` is replaced; null when none is. */
function brokenBy(wrong: DecideFunction, crowd: readonly Scenario[] = CROWD): string | null {
  for (const one of crowd) {
    try {
      simulate(one, wrong);
    } catch (error) {
      if (error instanceof SafetyViolation) return error.property;
      throw error;
    }
  }
  return null;
}

describe('simulate with a wrong rule', () => {
  const wrongRules: [string, string[], DecideFunction][] = [
    ['wakes nobody when a lock is released', ['L4'], (...input) => ({ ...decide(...input), wakesEnvironment: false })],
    [
      'looks again too late',
      ['L1', 'L3'],
      (...input) => {
        const decision = decide(...input);
        const { promotion } = decision;
        const lateMs = promotion.nextActionAtMs === null ? null : promotion.nextActionAtMs + 50_000;
        return { ...decision, promotion: { ...promotion, nextActionAtMs: lateMs } };
      },
    ],
    [
      'does not see a takeover',
      ['S6'],
      (snapshot, context, actor, ended) => decide(snapshot, { ...context, isTakeover: false }, actor, ended),
    ],
    [
      'uses the fence of the lock for operations',
      ['S2'],
      (snapshot, context, actor, ended) => {
        const fence = snapshot.locks[0]?.fence;
        const guard = context.guard && fence ? { ...context.guard, fence } : context.guard;
        return decide(snapshot, { ...context, guard }, actor, ended);
      },
    ],
    [
      'takes a lock although another promotion holds it',
      ['S1'],
      (snapshot, context, actor, ended) => {
        const guard = context.guard && { ...context.guard, holder: null };
        return decide(snapshot, { ...context, guard }, actor, ended);
      },
    ],
    [
      'forgets that rights were lost',
      ['S9'],
      (snapshot, context, actor, ended) => {
        const bindingsNow = [{ role: 'admin', pattern: '*' }] as const;
        const approvals = snapshot.approvals.map((approval) => ({ ...approval, bindingsNow }));
        return decide({ ...snapshot, approvals }, context, actor, ended);
      },
    ],
    [
      'lets a skip last for ever',
      ['S8', 'L3'],
      (snapshot, context, actor, ended) => {
        const skips = snapshot.skips.map((skip) => ({
          ...skip,
          expiresAtMs: skip.expiresAtMs === null ? null : Number.MAX_SAFE_INTEGER,
        }));
        return decide({ ...snapshot, skips }, context, actor, ended);
      },
    ],
    [
      'takes a request for a skip',
      ['S8'],
      (snapshot, context, actor, ended) => {
        const bindings = [{ role: 'admin', pattern: '*' }] as const;
        const approval = { state: 'approved', decidedBy: personIdOf('carol'), deciderBindingsNow: bindings } as const;
        const skips = snapshot.skips.map((skip) =>
          skip.state === 'requested' ? { ...skip, ...approval, expiresAtMs: Number.MAX_SAFE_INTEGER } : skip,
        );
        return decide({ ...snapshot, skips }, context, actor, ended);
      },
    ],
    [
      'does not look at the clock of a verdict',
      // What it was shown it also writes: a verdict that counts for longer than was declared.
      ['S8', 'S7'],
      (snapshot, context, actor, ended) => {
        const gateRuns = snapshot.gateRuns.map((run) => ({
          ...run,
          validUntilMs: run.validUntilMs === null ? null : Number.MAX_SAFE_INTEGER,
        }));
        return decide({ ...snapshot, gateRuns }, context, actor, ended);
      },
    ],
    [
      'lets an older release overwrite a newer one',
      // What it was shown it also writes: an environment that runs no release of that number.
      ['S11', 'S10'],
      (snapshot, context, actor, ended) => {
        const forgetful = { ...snapshot.environment, releaseNumber: 0 };
        return decide({ ...snapshot, environment: forgetful }, context, actor, ended);
      },
    ],
    [
      'believes a target that it did not look at',
      ['S10'],
      (snapshot, context, actor, ended) => {
        const { digest } = snapshot.release.components[0] ?? {};
        const attempts = snapshot.attempts.map((attempt) =>
          attempt.purpose === 'verify' && attempt.result && digest
            ? { ...attempt, result: { ...attempt.result, outcome: 'succeeded' as const, digest } }
            : attempt.purpose === 'deploy' && attempt.result
              ? { ...attempt, result: { ...attempt.result, outcome: 'succeeded' as const } }
              : attempt,
        );
        return decide({ ...snapshot, attempts }, context, actor, ended);
      },
    ],
    [
      'writes no event for a change of status',
      ['S6', 'S13'],
      (...input) => {
        const decision = decide(...input);
        const events = decision.events.filter((event) => event.type !== 'promotion.status_changed');
        return { ...decision, events };
      },
    ],
    [
      'does not make way for a newer one',
      ['queue'],
      (snapshot, ...rest) => decide({ ...snapshot, replacement: null }, ...rest),
    ],
    [
      'goes before those that came first',
      ['L4'],
      (snapshot, context, actor, ended) => {
        const guard = context.guard && { ...context.guard, waiters: [] };
        return decide(snapshot, { ...context, guard }, actor, ended);
      },
    ],
    ['keeps its locks when it ends', ['S6', 'L4'], (...input) => ({ ...decide(...input), releasedLocks: [] })],
  ];

  it.each(wrongRules)(
    '%s: it is seen',
    (_, properties, wrong) => {
      expect(properties).toContain(brokenBy(wrong));
    },
    TIMEOUT_MS,
  );

  it('takes its locks after a preflight although the environment has changed since: it is seen', () => {
    const wrong: DecideFunction = (snapshot, ...rest) => {
      const { promotion } = snapshot;
      const preflightRevision = promotion.preflightRevision && snapshot.environment.policyRevision;
      return decide({ ...snapshot, promotion: { ...promotion, preflightRevision } }, ...rest);
    };
    expect(brokenBy(wrong, CHANGING)).toBe('S8');
  });

  it('is not pure: it is seen', () => {
    let count = 0;
    const wrong: DecideFunction = (...input) => {
      const decision = decide(...input);
      count += 1;
      return { ...decision, promotion: { ...decision.promotion, lastProgressAtMs: count } };
    };
    expect(brokenBy(wrong)).toBe('purity');
  });

  it('changes its input: it throws', () => {
    const wrong: DecideFunction = (snapshot, ...rest) => {
      Object.assign(snapshot.promotion, { ticket: 1 });
      return decide(snapshot, ...rest);
    };
    expect(() => brokenBy(wrong)).toThrow(TypeError);
  });
});
