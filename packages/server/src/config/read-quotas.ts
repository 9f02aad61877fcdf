/** `quotas` of an environment: limits of what may start there, and in whose hours and days it is counted. */
import { type ConcurrencyMode, QUOTA_MAX, QUOTA_NAMES, type QuotaDefinition } from '@stella/domain';
import type { MapReader } from './map-reader.ts';
import { checkZone } from './read-window.ts';

/** To let nobody start is what a freeze is for. */
const LIMIT = { min: 1, max: QUOTA_MAX };

/** Null when the key is absent. */
export function readQuotas(map: MapReader | null, concurrency: ConcurrencyMode): QuotaDefinition | null {
  if (!map) return null;
  map.allow([...QUOTA_NAMES, 'timeZone']);
  const names = QUOTA_NAMES.filter((name) => map.has(name));
  if (names.length === 0) map.refuse('timeZone', `quotas: expected at least one of ${QUOTA_NAMES.join(', ')}`);
  if (names.includes('inProgress') && concurrency === 'exclusive') {
    const why = 'one promotion at a time changes this environment; it limits those of concurrency: per_component';
    map.refuse('inProgress', `inProgress: ${why}`);
  }
  const limits = Object.fromEntries(names.map((name) => [name, map.count(name, LIMIT)]));
  return { ...limits, timeZone: map.text('timeZone', checkZone, 'UTC') };
}
