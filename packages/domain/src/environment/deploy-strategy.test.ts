/** How targets are put into batches. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesOf, type CanaryStrategy, refuseSoak, strategyKindOf } from './deploy-strategy.ts';

const TARGETS = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 60 });

describe('batches of a deploy', () => {
  it('hold every target exactly once, in the order of the definition', () => {
    fc.assert(
      fc.property(TARGETS, fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined }), (targets, size) => {
        const strategy = size === undefined ? {} : { strategy: { kind: 'rolling' as const, maxUnavailable: size } };
        const batches = batchesOf(strategy, targets);
        expect(batches.flatMap((batch) => batch.targets)).toEqual(targets);
        expect(batches.map((batch) => batch.number)).toEqual(batches.map((_, index) => index + 1));
        expect(batches.every((batch) => batch.targets.length <= (size ?? targets.length))).toBe(true);
      }),
    );
  });

  it('are one without a strategy, and none without a target', () => {
    expect(strategyKindOf({})).toBe('all_at_once');
    expect(batchesOf({}, ['a', 'b', 'c'])).toEqual([{ number: 1, targets: ['a', 'b', 'c'], isCanary: false }]);
    expect(batchesOf({}, [])).toEqual([]);
  });
});

describe('a canary', () => {
  const judge = { url: 'http://a/', expectStatus: 200, timeoutMs: 5_000, intervalMs: 15_000, failuresAllowed: 0 };
  const canary = (soakMs: number): CanaryStrategy => ({ kind: 'canary', targets: ['b'], soakMs, judge });

  it('comes first, wherever it stands in the definition', () => {
    expect(batchesOf({ strategy: canary(1_000) }, ['a', 'b', 'c'])).toEqual([
      { number: 1, targets: ['b'], isCanary: true },
      { number: 2, targets: ['a', 'c'], isCanary: false },
    ]);
  });

  it('is judged when it is all there is, and left out when the release has nothing for it', () => {
    expect(batchesOf({ strategy: canary(1_000) }, ['b'])).toEqual([{ number: 1, targets: ['b'], isCanary: true }]);
    expect(batchesOf({ strategy: canary(1_000) }, ['a'])).toEqual([{ number: 1, targets: ['a'], isCanary: false }]);
  });

  it('is refused with the arithmetic when its soak cannot end in time, or asks too often', () => {
    expect(refuseSoak(canary(5 * 60_000), 15 * 60_000)).toBeNull();
    expect(refuseSoak(canary(15 * 60_000), 15 * 60_000)).toBe(
      '15m and the last answer of the judge (5s) make 15m5s, and deployDeadline is 15m: soak shorter, or raise it',
    );
    expect(refuseSoak(canary(3 * 3_600_000), 4 * 3_600_000)).toBe(
      '3h with a question every 15s make 721 questions, at most 200 are asked: an interval of 55s fits',
    );
  });
});
