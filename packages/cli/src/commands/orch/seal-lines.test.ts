import { describe, expect, it } from 'vitest';
import { sealLines } from './seal-lines.ts';

const sealsOf = (count: number, isSealed: boolean) =>
  Array.from({ length: count }, (_, index) => ({ target: `web-${index}`, isSealed, message: 'no answer within 10s' }));

describe('the words of seals', () => {
  it('are one line when all are sealed', () => {
    expect(sealLines({ seals: sealsOf(2, true), sealedWithinMs: 10_000 }, 11)).toEqual(['Sealed     2 of 2 targets']);
  });

  it('name ten of those that are not, count the others, and tell the time that all had', () => {
    const seals = [...sealsOf(3, true), ...sealsOf(12, false)];
    const lines = sealLines({ seals, sealedWithinMs: 100_000 }, 7);
    expect(lines[0]).toBe('Sealed 3 of 15 targets; they had 1m40s for it');
    expect(lines[1]).toBe('       web-0: no answer within 10s');
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toBe('       and 2 more: -o json names them');
  });
});
