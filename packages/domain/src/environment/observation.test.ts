import { makeComposeTarget, makeTarget } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../values/digest.ts';
import { combinedDigest } from './target-components.ts';
import {
  claimRound,
  firstRound,
  isRoundDue,
  isTaken,
  longestPauseMs,
  type LookContext,
  nextLookAt,
  recordLooks,
  roundDeadlineMs,
  type TargetObservation,
  type TargetSight,
  verifiedAt,
} from './observation.ts';

const A = digestOf('a');
const B = digestOf('b');
const TARGET = makeTarget();
const ACTOR = { kind: 'system', name: 'observer' } as const;
const verified = (digest: Digest, verifiedAtMs = 0) => ({
  component: 'web',
  digest,
  verifiedAtMs,
  targets: [TARGET],
});
const contextOf = (patch: Partial<LookContext> = {}): LookContext => ({
  environment: 'prod',
  nowMs: 1_000,
  actor: ACTOR,
  by: 'host-1',
  targets: [TARGET],
  verified: [verified(A)],
  known: [],
  takenResources: [],
  ...patch,
});

describe('rounds', () => {
  it('come again within a tenth of the interval, and at once when a shorter one was set', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 604_800_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (everyMs, jitter) => {
          const atMs = nextLookAt(5, everyMs, jitter) - 5;
          expect(atMs).toBeGreaterThanOrEqual(Math.floor(everyMs * 0.9));
          expect(atMs).toBeLessThanOrEqual(longestPauseMs(everyMs));
          const round = { environment: 'prod', number: 1, dueAtMs: Number.MAX_SAFE_INTEGER, endedAtMs: 5 };
          const due = (nowMs: number) => isRoundDue(round, { nowMs, everyMs, isCured: false });
          expect([due(5 + longestPauseMs(everyMs) - 1), due(5 + longestPauseMs(everyMs))]).toEqual([false, true]);
        },
      ),
    );
  });

  it('are one per environment at a time: a claimed one is due only by its own deadline', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1_000, max: 600_000 }),
        (targetCount, atOnce, timeoutMs) => {
          const bounds = { targetCount, atOnce, timeoutMs };
          const claimed = claimRound(firstRound('prod', 0), bounds, 100);
          const due = (nowMs: number) => isRoundDue(claimed, { nowMs, everyMs: 1_000, isCured: true });
          expect(claimed.dueAtMs).toBeGreaterThan(100 + roundDeadlineMs(bounds));
          expect([due(claimed.dueAtMs - 1), due(claimed.dueAtMs)]).toEqual([false, true]);
        },
      ),
    );
  });
});

describe('a place', () => {
  it('is taken by the lock of its environment or of its own component', () => {
    expect(isTaken('prod', TARGET, ['environment:prod'])).toBe(true);
    expect(isTaken('prod', TARGET, ['environment:prod/web'])).toBe(true);
    expect(isTaken('prod', TARGET, ['environment:prod/api', 'environment:prod-2', 'artifact:web'])).toBe(false);
  });

  it('is the same with another health check, and another one in another directory or for another component', () => {
    const known = [verified(A)];
    expect(verifiedAt({ ...TARGET, health: null, keepCount: 9 }, known)?.digest).toBe(A);
    expect(verifiedAt({ ...TARGET, directory: '/srv/elsewhere' }, known)).toBeNull();
    expect(verifiedAt({ ...TARGET, name: 'web-9' }, known)).toBeNull();
    expect(verifiedAt({ ...TARGET, component: 'api' }, known)).toBeNull();
  });

  it('of several components promises all of them together, or nothing', () => {
    const shop = makeComposeTarget();
    const of = (component: string, digest: Digest, verifiedAtMs: number) => ({
      component,
      digest,
      verifiedAtMs,
      targets: [shop],
    });
    const digest = combinedDigest([
      { name: 'api', digest: A },
      { name: 'web', digest: B },
    ]);
    expect(verifiedAt(shop, [of('web', B, 7), of('api', A, 5)])).toEqual({ digest, verifiedAtMs: 7 });
    expect(verifiedAt(shop, [of('web', B, 7)])).toBeNull();
    expect(isTaken('prod', shop, ['environment:prod/api'])).toBe(true);
  });
});

describe('what is recorded of looks', () => {
  const sight: fc.Arbitrary<TargetSight> = fc.oneof(
    fc.record({
      outcome: fc.constant('seen' as const),
      digest: fc.constantFrom(A, B, null),
      isHealthy: fc.boolean(),
      message: fc.constantFrom('', 'x\u0000'),
    }),
    fc.record({
      outcome: fc.constant('unseen' as const),
      code: fc.constant('target.unreachable'),
      message: fc.constant('gone'),
    }),
  );
  /** Of the same target again and again: what is seen, and what a promotion verified right before. */
  const course = fc.array(
    fc.record({ sight, verified: fc.constantFrom(A, B, null), isVerifiedNow: fc.boolean(), isTaken: fc.boolean() }),
    { maxLength: 12 },
  );

  it('alternates between begin and end, tells drift by what was last seen, and never by what was not', () => {
    fc.assert(
      fc.property(course, (steps) => {
        let known: readonly TargetObservation[] = [];
        let verifiedAtMs = 0;
        const events: string[] = [];
        for (const [index, step] of steps.entries()) {
          const nowMs = (index + 1) * 10;
          if (step.isVerifiedNow) verifiedAtMs = nowMs - 5;
          const before = known[0];
          const { kept, events: told } = recordLooks(
            [{ target: TARGET, sight: step.sight }],
            contextOf({
              nowMs,
              known,
              verified: step.verified === null ? [] : [verified(step.verified, verifiedAtMs)],
              takenResources: step.isTaken ? ['environment:prod'] : [],
            }),
          );
          events.push(...told.map(({ type }) => type));
          known = step.isTaken ? known : kept;
          expect(kept).toHaveLength(step.isTaken ? 0 : 1);
          expect(told.map(({ type }) => type)).toEqual(mayTell(step.isTaken || step.sight.outcome === 'unseen', told));
          expect(step.isTaken ? null : shape(known[0])).toEqual(step.isTaken ? null : wanted(before, step, nowMs));
        }
        expect(events).toEqual(events.map((_, index) => (index % 2 === 0 ? 'drift.began' : 'drift.ended')));
        expect(events.length % 2 === 1).toBe((known[0]?.driftSinceMs ?? null) !== null);
      }),
    );
  });

  it('ends a drift that a promotion has cured while the target cannot be seen, and one that came again begins anew', () => {
    const [drifts] = recordLooks([{ target: TARGET, sight: seen(B) }], contextOf()).kept;
    if (!drifts) throw new Error('nothing is kept');
    const cured = contextOf({ nowMs: 3_000, known: [drifts], verified: [verified(A, 2_000)] });
    const unseen = recordLooks([{ target: TARGET, sight: { outcome: 'unseen', code: 'x', message: '' } }], cured);
    expect(unseen.events).toMatchObject([{ type: 'drift.ended', data: { reason: 'verified', durationMs: 2_000 } }]);
    const again = recordLooks([{ target: TARGET, sight: seen(B) }], cured);
    expect(again.events.map(({ type }) => type)).toEqual(['drift.ended', 'drift.began']);
    expect(again.kept).toMatchObject([{ driftSinceMs: 3_000 }]);
  });

  it('drops targets that are there no more, and looks at what was another place', () => {
    const [drifts] = recordLooks([{ target: TARGET, sight: seen(B) }], contextOf()).kept;
    if (!drifts) throw new Error('nothing is kept');
    const moved = makeTarget({ name: 'web-2', directory: '/srv/web-2' });
    const { kept, dropped, events } = recordLooks(
      [{ target: TARGET, sight: seen(B) }],
      contextOf({ known: [drifts], targets: [moved] }),
    );
    expect([kept, dropped]).toEqual([[], ['web-1']]);
    expect(events).toMatchObject([{ type: 'drift.ended', data: { target: 'web-1', reason: 'target_removed' } }]);
    const elsewhere = contextOf({ targets: [{ ...TARGET, directory: '/srv/new' }] });
    expect(recordLooks([{ target: TARGET, sight: seen(B) }], elsewhere).kept).toEqual([]);
  });
});

/** A look that sees nothing begins no drift, and one that does not count tells nothing. */
function mayTell(isBlind: boolean, told: readonly { readonly type: string }[]): readonly string[] {
  return told.map(({ type }) => type).filter((type) => !isBlind || type === 'drift.ended');
}

interface Step {
  readonly sight: TargetSight;
  readonly verified: Digest | null;
}

/** Whether it drifts is told by what was seen just now; what an unseen target does is not looked at here. */
function shape(now: TargetObservation | undefined): unknown {
  if (!now) return null;
  const { unseenSinceMs, seenAtMs, digest, code, driftSinceMs } = now;
  return { unseenSinceMs, seenAtMs, digest, code, isDrifting: code === '' ? driftSinceMs !== null : null };
}

function wanted(before: TargetObservation | undefined, { sight, verified: promised }: Step, nowMs: number): unknown {
  if (sight.outcome === 'seen') {
    const { digest } = sight;
    const isDrifting = promised !== null && digest !== promised;
    return { unseenSinceMs: null, seenAtMs: nowMs, digest, code: '', isDrifting };
  }
  return {
    unseenSinceMs: before?.unseenSinceMs ?? nowMs,
    seenAtMs: before?.seenAtMs ?? null,
    digest: before?.digest ?? null,
    code: sight.code,
    isDrifting: null,
  };
}

function seen(digest: Digest | null): TargetSight {
  return { outcome: 'seen', digest, isHealthy: true, message: '' };
}
