/**
 * Randomness that a seed decides: the same seed gives the same numbers on every machine. Not for secrets.
 *
 * The generator is mulberry32: 32 bits of state, which is enough for tests and small enough to copy.
 */
export interface SeededRandom {
  /** A fraction in [0, 1). */
  fraction(): number;
  /** A whole number in [from, to], both included. */
  between(from: number, to: number): number;
  /** True in that many of a hundred cases. */
  chance(percent: number): boolean;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  bytes(count: number): Uint8Array;
}

export function makeSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number): number => from + Math.floor(fraction() * (to - from + 1));
  return {
    fraction,
    between,
    chance: (percent) => fraction() * 100 < percent,
    pick: (list) => {
      const index = between(0, list.length - 1);
      if (index >= list.length || index < 0) throw new RangeError('nothing to pick from');
      // The index lies inside of the list, so there is an item.
      return list[index] as (typeof list)[number];
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => between(0, 255)),
  };
}

/** One seed out of two numbers, so that calls of one run get different but reproducible streams. */
export function mixSeeds(seed: number, n: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35)) >>> 0;
}
