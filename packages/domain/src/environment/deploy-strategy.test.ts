/** How targets are put into batches. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesOf, strategyKindOf } from './deploy-strategy.ts';

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
    expect(batchesOf({}, ['a', 'b', 'c'])).toEqual([{ number: 1, targets: ['a', 'b', 'c'] }]);
    expect(batchesOf({}, [])).toEqual([]);
  });
});
