import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeRelease, makeWholeEnvironment } from '@stella/testkit';
import { type Digest, digestOf } from '../values/digest.ts';
import type { TargetSight } from './observation.ts';
import {
  breakAfter,
  breakWords,
  concerns,
  endsOfBreaks,
  isOtherBreak,
  type ObservedBreak,
  type TargetBreak,
} from './soundness.ts';

const A = digestOf('a');
const B = digestOf('b');
const seen = (digest: Digest | null, isHealthy = true): TargetSight => ({
  outcome: 'seen',
  digest,
  isHealthy,
  message: '',
});
const UNSEEN: TargetSight = { outcome: 'unseen', code: 'target.unreachable', message: '' };
const OPEN: TargetBreak = { components: ['web'], sinceMs: 100, untilMs: null };

/** Verified at 300, then moved, seen there at 500, and moved back. */
const UNPROMISED = { promised: null, verifiedAtMs: 300, sight: UNSEEN };

interface Case {
  readonly lastBreak?: TargetBreak | null;
  readonly seenAtMs?: number;
  readonly promised?: Digest | null;
  readonly verifiedAtMs?: number | null;
  readonly sight: TargetSight;
}

/** A is promised; looked at in the moment 1,000. */
function after({ lastBreak = null, seenAtMs = 500, promised = A, verifiedAtMs = 0, sight }: Case): TargetBreak | null {
  const verified = verifiedAtMs === null ? null : { digest: A, verifiedAtMs };
  return breakAfter({
    before: { lastBreak, seenAtMs, promised },
    components: ['web'],
    verified,
    sight,
    nowMs: 1_000,
  });
}

describe('a break', () => {
  it.each([
    ['another digest', { sight: seen(B) }, { ...OPEN, sinceMs: 1_000 }],
    ['nothing whole', { sight: seen(null) }, { ...OPEN, sinceMs: 1_000 }],
    ['what is promised, and ill', { sight: seen(A, false) }, { ...OPEN, sinceMs: 1_000 }],
    ['what is promised, and well', { sight: seen(A) }, null],
    ['nothing', { sight: UNSEEN }, null],
    ['another digest where nothing is promised', { verifiedAtMs: null, sight: seen(B) }, null],
  ] as const)('begins or does not with a look that finds %s', (_, look, wanted) => {
    expect(after(look)).toEqual(wanted);
    expect(breakAfter({ ...look, before: null, components: [], verified: null, nowMs: 9 })).toBeNull();
  });

  it.each([
    ['lasts while it is seen, whatever ails the target', { sight: seen(A, false) }, null],
    ['lasts while nobody sees anything', { sight: UNSEEN }, null],
    ['ends with the look that finds it sound', { sight: seen(A) }, 1_000],
    ['ended when it was last seen, by what was verified since', { verifiedAtMs: 501, sight: UNSEEN }, 500],
    ['lasts over what was verified before it was last seen', { verifiedAtMs: 500, sight: UNSEEN }, null],
    ['ended when it was found, by what was verified before a look that saw no promise', UNPROMISED, 100],
    ['bug: lasts where nothing is promised any more', { verifiedAtMs: null, sight: seen(A) }, null],
  ] as const)('%s', (_, look, untilMs) => {
    expect(after({ ...look, lastBreak: OPEN })).toEqual({ ...OPEN, untilMs });
  });

  it('begins anew after what was verified, and is kept when it is over', () => {
    expect(after({ lastBreak: OPEN, verifiedAtMs: 700, sight: seen(B) })).toEqual({ ...OPEN, sinceMs: 1_000 });
    const over = { ...OPEN, untilMs: 400 };
    expect(after({ lastBreak: over, sight: seen(A) })).toBe(over);
    expect(after({ lastBreak: over, sight: seen(B) })).toEqual({ ...OPEN, sinceMs: 1_000 });
  });

  it('is over, or was made good by a release, at no time before the last look that found it', () => {
    const look = fc.record({
      sight: fc.constantFrom(seen(A), seen(A, false), seen(B), seen(null), UNSEEN),
      isVerifiedBefore: fc.boolean(),
      isPromised: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 15 }), (looks) => {
        let lastBreak: TargetBreak | null = null;
        let seenAtMs: number | null = null;
        let verifiedAtMs = 0;
        let unsoundAtMs: number | null = null;
        let promisedBefore: Digest | null = null;
        for (const [index, { sight, isVerifiedBefore, isPromised }] of looks.entries()) {
          const nowMs = (index + 1) * 10;
          if (isVerifiedBefore) verifiedAtMs = nowMs - 5;
          const verified = isPromised ? { digest: A, verifiedAtMs } : null;
          const wasOpen: boolean = lastBreak !== null && lastBreak.untilMs === null;
          lastBreak = breakAfter({
            before: { lastBreak, seenAtMs, promised: promisedBefore },
            components: ['web'],
            verified,
            sight,
            nowMs,
          });
          const isSeen = sight.outcome === 'seen';
          if (isPromised && isSeen && (sight.digest !== A || !sight.isHealthy)) unsoundAtMs = nowMs;
          expect(lastBreak === null).toBe(unsoundAtMs === null);
          // A soak counts from the later of both.
          expect(Math.max(lastBreak?.untilMs ?? nowMs, verifiedAtMs)).toBeGreaterThanOrEqual(unsoundAtMs ?? 0);
          const isOpen = lastBreak !== null && lastBreak.untilMs === null;
          // Where nothing is promised it stays as it was; where nobody sees anything, what was verified since may end it.
          const lasts = isPromised ? isOpen && wasOpen : wasOpen;
          expect(isOpen).toBe(isPromised && isSeen ? unsoundAtMs === nowMs : lasts);
          if (isSeen) seenAtMs = nowMs;
          promisedBefore = isPromised ? A : null;
        }
      }),
    );
  });

  it('is another one when it begins or ends', () => {
    expect(isOtherBreak(null, null)).toBe(false);
    expect(isOtherBreak(OPEN, { ...OPEN })).toBe(false);
    expect([isOtherBreak(null, OPEN), isOtherBreak(OPEN, { ...OPEN, untilMs: 1 })]).toEqual([true, true]);
  });
});

describe('a break as a soak reads it', () => {
  const observed: ObservedBreak = {
    ...OPEN,
    environment: 'dev',
    target: 'web-1',
    seenAtMs: 500,
    digest: B,
    promised: A,
  };
  const runningSince = (atMs: number, name = 'web') =>
    makeWholeEnvironment('dev', makeRelease(1, [name]), atMs).components;

  it('lasts until something of its own was verified after it was last seen', () => {
    const end = (components: ReturnType<typeof runningSince>, one = observed) =>
      endsOfBreaks({ breaks: [one], components }, ['web']).map(({ untilMs }) => untilMs);
    expect(end(runningSince(500))).toEqual([null]);
    expect(end(runningSince(501))).toEqual([500]);
    expect(end(runningSince(501, 'api'))).toEqual([null]);
    expect(end(runningSince(0), { ...observed, untilMs: 400 })).toEqual([400]);
    expect(end(runningSince(300), { ...observed, promised: null })).toEqual([100]);
    expect(endsOfBreaks({ breaks: [observed], components: [] }, ['api'])).toEqual([]);
  });

  it('is about its own components, and says what the target runs or that it is ill', () => {
    expect([concerns(OPEN, ['api', 'web']), concerns(OPEN, ['api'])]).toEqual([true, false]);
    expect(breakWords(observed)).toBe(`target web-1 runs ${B} instead of ${A}, since 1970-01-01T00:00:00.100Z`);
    expect(breakWords({ ...observed, digest: null })).toContain('runs nothing whole instead of');
    expect(breakWords({ ...observed, digest: A })).toBe('target web-1 is not healthy, since 1970-01-01T00:00:00.100Z');
  });
});
