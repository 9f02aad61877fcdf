/** Choices of a run; the seed is printed. Real processes are not repeatable by it, but what is done to them is. */
export interface SeededRandom {
  /** In [0, 1). */
  fraction(): number;
  /** A whole number, both ends included. */
  between(from: number, to: number): number;
  chance(percent: number): boolean;
  /** Throws for an empty list. */
  pick<T>(list: readonly T[]): T;
}

/** mulberry32. */
export function makeRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    fraction,
    between: (from, to) => from + Math.floor(fraction() * (to - from + 1)),
    chance: (percent) => fraction() * 100 < percent,
    pick(list) {
      for (const item of list.slice(Math.floor(fraction() * list.length))) return item;
      throw new RangeError('nothing to pick from');
    },
  };
}
