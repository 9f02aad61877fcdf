import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findWaitCycles, type WaitEdge } from './wait-cycles.ts';

const edges = (...texts: readonly string[]): WaitEdge[] =>
  texts.map((text) => {
    const [waiter = '', holder = ''] = text.split('>');
    return { waiter, holder };
  });

describe('findWaitCycles', () => {
  it('names each circle once, from its smallest name on', () => {
    expect(findWaitCycles(edges('b>a', 'a>b', 'c>a'))).toEqual([['a', 'b']]);
    expect(findWaitCycles(edges('c>b', 'b>d', 'd>c', 'x>x'))).toEqual([['b', 'd', 'c'], ['x']]);
  });

  it('finds none in a queue, however long', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(60), { minLength: 2 }), (numbers) => {
        const queue = [...numbers].sort((a, b) => a - b);
        const waits = queue.slice(1).map((one) => ({ waiter: `${one}`, holder: `${queue[0]}` }));
        expect(findWaitCycles(waits)).toEqual([]);
      }),
    );
  });
});
