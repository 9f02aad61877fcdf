import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWorstCase, retriesThatFit, timeoutFor, timeoutWithin, worstCaseMs } from './time-budget.ts';

const MINUTE = 60_000;
const timing = fc.record({
  timeoutMs: fc.integer({ min: 10, max: 60 * MINUTE }),
  retryCount: fc.integer({ min: 0, max: 10 }),
  backoffMs: fc.integer({ min: 0, max: 60 * MINUTE }),
});

describe('the arithmetic of attempts', () => {
  it('is attempts times time-out and the doubling pauses between them', () => {
    expect(worstCaseMs({ timeoutMs: 2 * MINUTE, retryCount: 2, backoffMs: 10_000 })).toBe(6 * MINUTE + 30_000);
    expect(describeWorstCase({ timeoutMs: MINUTE, retryCount: 0, backoffMs: 10_000 })).toBe('1 × 1m = 1m');
  });

  it('finds the most retries that fit, and none more would', () => {
    fc.assert(
      fc.property(timing, fc.integer({ min: 0, max: 120 * MINUTE }), (one, limitMs) => {
        // None: not even one attempt fits, as if there were -1 retries.
        const retryCount = retriesThatFit(one, limitMs) ?? -1;
        const fitting = retryCount < 0 ? 0 : worstCaseMs({ ...one, retryCount });
        const more = Math.min(retryCount + 1, one.retryCount);
        expect(fitting).toBeLessThanOrEqual(limitMs);
        expect(more === retryCount || worstCaseMs({ ...one, retryCount: more }) > limitMs).toBe(true);
      }),
    );
  });

  it.each([
    [95_000, 5 * MINUTE],
    [40, 1_000],
    [30 * MINUTE, 60 * MINUTE],
    [31 * MINUTE, null],
  ])('chooses for an answer after %i ms a time-out of %s ms', (measuredMs, wantedMs) => {
    expect(timeoutFor(measuredMs)).toBe(wantedMs);
  });

  it('keeps one attempt within a limit', () => {
    expect(timeoutWithin(10 * MINUTE)).toBe(10 * MINUTE);
    expect(timeoutWithin(10)).toBe(1_000);
  });
});
