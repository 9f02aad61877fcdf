/** Ids that a seed decides, in the form of real ones. */
import { type IdSource, makeIds } from '@stella/domain';
import { makeSeededRandom } from './simulation/seeded-random.ts';

/** 2026-01-01T00:00:00Z: where the clocks of tests begin. */
export const TEST_EPOCH_MS = 1_767_225_600_000;

/** Two sources with the same seed and clock answer the same ids; other seeds answer other ids. */
export function makeSeededIds(seed: number, nowMs: () => number = () => TEST_EPOCH_MS): IdSource {
  const random = makeSeededRandom(seed);
  return makeIds(nowMs, (count) => random.bytes(count));
}
