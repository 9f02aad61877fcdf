import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toRfc3339 } from './instant.ts';

describe('toRfc3339', () => {
  it('writes UTC with milliseconds, and nothing is lost', () => {
    expect(toRfc3339(1_764_000_000_000)).toBe('2025-11-24T16:00:00.000Z');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (instantMs) => {
        expect(Date.parse(toRfc3339(instantMs))).toBe(instantMs);
      }),
    );
  });
});
