/** Definitions and releases never change once they are written, so a process keeps those that it has read. */
import type { EnvironmentDefinition, Release } from '@stella/domain';

/** Kept definitions and releases; the oldest goes when there are more. */
const CACHE_ENTRIES_MAX = 1_000;

/** What never changes once written. One per process. */
export interface ImmutableRows {
  readonly definitions: Map<string, EnvironmentDefinition>;
  readonly releases: Map<string, Release>;
}

export function makeImmutableRows(): ImmutableRows {
  return { definitions: new Map(), releases: new Map() };
}

export function keep<V>(cache: Map<string, V>, key: string, value: V): V {
  if (cache.size >= CACHE_ENTRIES_MAX) {
    const oldest = cache.keys().next();
    if (!oldest.done) cache.delete(oldest.value);
  }
  cache.set(key, value);
  return value;
}
