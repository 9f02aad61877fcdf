import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestOf } from './nearest.ts';

describe('nearestOf', () => {
  it.each([
    ['prdo', ['dev', 'prod'], 'prod'],
    ['Prod', ['dev', 'prod'], 'prod'],
    ['stagin', ['dev', 'staging', 'prod'], 'staging'],
    ['vlaidFor', ['validFor', 'name'], 'validFor'],
    ['qa', ['dev', 'staging', 'prod'], null],
    ['completely-different', ['dev', 'staging'], null],
    ['', ['staging'], null],
    ['prod', [], null],
  ])('%j among %j is nearest to %j', (name, known, nearest) => {
    expect(nearestOf(name, known)).toBe(nearest);
  });

  it('finds a known name after any single slip', () => {
    const name = fc.stringMatching(/^[a-z]{5,20}$/);
    fc.assert(
      fc.property(name, fc.nat(), fc.constantFrom('drop', 'double', 'swap'), (known, at, slip) => {
        const i = at % (known.length - 1);
        const slipped = {
          drop: known.slice(0, i) + known.slice(i + 1),
          double: known.slice(0, i) + known.charAt(i) + known.slice(i),
          swap: known.slice(0, i) + known.charAt(i + 1) + known.charAt(i) + known.slice(i + 2),
        }[slip];
        expect(nearestOf(slipped, [known])).toBe(known);
      }),
    );
  });

  it('answers a known name or null', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (name, known) => {
        const nearest = nearestOf(name, known);
        expect(nearest === null || known.includes(nearest)).toBe(true);
        const isSame = nearest?.toLowerCase() === name.toLowerCase();
        expect(isSame || !known.includes(name) || name.length > 100).toBe(true);
      }),
    );
  });

  it('suggests nothing for a text that is too long to be a name', () => {
    expect(nearestOf('x'.repeat(300), ['prod'])).toBeNull();
    expect(nearestOf('prod', ['x'.repeat(1_000_000)])).toBeNull();
  });

  it('is not misled by a far longer name that is first', () => {
    expect(nearestOf('cat', ['concatenate', 'cut'])).toBe('cut');
  });
});
