import { describe, expect, it } from 'vitest';
import { percentile, rounded } from './report.ts';

describe('percentile', () => {
  it('is a value that occurs', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(values, 0.5)).toBe(50);
    expect(percentile(values, 0.99)).toBe(99);
    expect(percentile(values, 1)).toBe(100);
    expect(percentile([7], 0.5)).toBe(7);
  });
});

describe('rounded', () => {
  it('keeps two places', () => {
    expect(rounded(0.126)).toBe(0.13);
  });
});
