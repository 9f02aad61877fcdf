import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareFences, type Fence, formatFence, parseFence } from './fence.ts';

const fence: fc.Arbitrary<Fence> = fc.record({ epoch: fc.nat(5), n: fc.nat(999_999_999) });

describe('compareFences', () => {
  it('orders by installation first, then by number', () => {
    expect(compareFences({ epoch: 1, n: 9 }, { epoch: 2, n: 1 })).toBeLessThan(0);
    expect(compareFences({ epoch: 1, n: 10 }, { epoch: 1, n: 9 })).toBeGreaterThan(0);
    expect(compareFences({ epoch: 1, n: 9 }, { epoch: 1, n: 9 })).toBe(0);
  });

  it('is a total order', () => {
    fc.assert(
      fc.property(fence, fence, fence, (a, b, c) => {
        expect(Math.sign(compareFences(a, b)) + Math.sign(compareFences(b, a))).toBe(0);
        const [low, middle, high] = [a, b, c].sort(compareFences);
        expect(low && middle && high && compareFences(low, high)).toBeLessThanOrEqual(0);
        expect(compareFences(a, b) === 0).toBe(formatFence(a) === formatFence(b));
      }),
    );
  });
});

describe('parseFence', () => {
  it('reads what formatFence wrote', () => {
    fc.assert(
      fc.property(fence, (one) => {
        expect(parseFence(formatFence(one))).toEqual(one);
      }),
    );
  });

  it.each(['', '1', '1.', '.1', '1.2.3', '-1.2', '1.2\n', ' 1.2', '1,2', 'a.b', `1.${'9'.repeat(16)}`])(
    'reads nothing from %j',
    (text) => {
      expect(parseFence(text)).toBeNull();
    },
  );
});
