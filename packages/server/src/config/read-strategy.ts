/** `strategy` of an environment: how a deploy goes through its targets. */
import { type DeployStrategy, STRATEGY_KINDS } from '@stella/domain';
import type { MapReader } from './map-reader.ts';

/** Null when the key is absent, and for `all_at_once`, which says the same. */
export function readStrategy(map: MapReader | null, targetCount: number): DeployStrategy | null {
  const kind = map?.choice('kind', STRATEGY_KINDS) ?? null;
  if (!map || kind === null) return null;
  if (kind === 'all_at_once') {
    map.allow(['kind']);
    return null;
  }
  map.allow(['kind', 'maxUnavailable']);
  return { kind, maxUnavailable: map.count('maxUnavailable', { min: 1, max: Math.max(1, targetCount) }) };
}
