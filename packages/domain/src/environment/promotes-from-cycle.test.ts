import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCycle } from './promotes-from-cycle.ts';

const pipeline = (edges: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(edges).map(([name, promotesFrom]) => ({ name, promotesFrom }));

describe('findCycle', () => {
  it('finds none in a line, a diamond and two separate lines', () => {
    expect(findCycle(pipeline({ dev: [], staging: ['dev'], prod: ['staging'] }))).toBeNull();
    expect(findCycle(pipeline({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }))).toBeNull();
    expect(findCycle(pipeline({ prod: ['staging'], staging: ['dev'], dev: [], other: [] }))).toBeNull();
    expect(findCycle([])).toBeNull();
  });

  it('names the circle in the direction of promotion, closed', () => {
    expect(findCycle(pipeline({ dev: ['staging'], prod: ['dev'], staging: ['prod'] }))).toEqual([
      'dev',
      'prod',
      'staging',
      'dev',
    ]);
    expect(findCycle(pipeline({ dev: ['dev'] }))).toEqual(['dev', 'dev']);
  });

  it('leaves out what only leads to or from the circle', () => {
    expect(findCycle(pipeline({ a: [], b: ['a', 'c'], c: ['b'], d: ['c'] }))).toEqual(['b', 'c', 'b']);
  });

  it('takes an unknown predecessor for one without predecessors', () => {
    expect(findCycle(pipeline({ prod: ['nowhere'] }))).toBeNull();
  });

  it('says null for every graph whose edges go one way, and a real circle for every other', () => {
    const edge = fc.tuple(fc.nat(7), fc.nat(7));
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 20 }), fc.boolean(), (edges, isOneWay) => {
        const kept = isOneWay ? edges.filter(([from, to]) => from < to) : edges;
        const nodes = Array.from({ length: 8 }, (_, index) => ({
          name: `e${index}`,
          promotesFrom: kept.filter(([, to]) => to === index).map(([from]) => `e${from}`),
        }));
        const circle = findCycle(nodes);
        const pairs = (circle ?? []).slice(1).map((name, index) => [circle?.[index] ?? '', name]);
        expect(circle === null).toBe(canBeOrdered(nodes));
        expect(isOneWay && circle !== null).toBe(false);
        expect(circle?.at(-1)).toBe(circle?.[0]);
        expect(new Set(circle).size).toBe(pairs.length);
        expect(pairs.filter(([from = '', to = '']) => !promotesInto(nodes, from, to))).toEqual([]);
        expect(findCycle([...nodes].reverse())).toEqual(circle);
      }),
    );
  });
});

function promotesInto(nodes: ReturnType<typeof pipeline>, from: string, to: string): boolean {
  return nodes.some((node) => node.name === to && node.promotesFrom.includes(from));
}

/** Independent of the code under test: depth-first search for a way back. */
function canBeOrdered(nodes: readonly { name: string; promotesFrom: readonly string[] }[]): boolean {
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (nodes.find((node) => node.name === from)?.promotesFrom ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return nodes.every(({ name }) => !reaches(name, name, new Set()));
}
