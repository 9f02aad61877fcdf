/** One entry of `targets`: keys, limits and defaults. */
import { type HttpHealthCheck, TARGET_KINDS, type TargetDefinition } from '@stella/domain';
import { checkDirectory, checkName, checkUrl, withoutEndSlash } from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './time-units.ts';

const KEYS = ['name', 'kind', 'component', 'directory', 'keep', 'health'] as const;
/** One is the running release itself. */
const KEEP: NumberRule = { standard: 3, min: 1, max: 50 };

const HEALTH_KEYS = ['url', 'expectStatus', 'timeout', 'interval', 'threshold', 'deadline'] as const;
const EXPECT_STATUS: NumberRule = { standard: 200, min: 100, max: 599 };
const TIMEOUT: NumberRule = { standard: 5 * SECOND_MS, min: 10, max: MINUTE_MS };
const INTERVAL: NumberRule = { standard: SECOND_MS, min: 10, max: 5 * MINUTE_MS };
/** Twice: the first good answer after a switch may still come from the old release. */
const THRESHOLD: NumberRule = { standard: 2, min: 1, max: 20 };
const DEADLINE: NumberRule = { standard: MINUTE_MS, min: 100, max: HOUR_MS };

/** Null when the kind is unknown: nothing else can be said about such a target. */
export function readTarget(map: MapReader): TargetDefinition | null {
  const kind = map.choice('kind', TARGET_KINDS);
  if (kind === null) return null;
  map.allow(KEYS);
  return {
    kind,
    name: map.text('name', checkName),
    component: map.text('component', checkName),
    directory: withoutEndSlash(map.text('directory', checkDirectory)),
    keepCount: map.count('keep', KEEP),
    health: readHealth(map.map('health')),
  };
}

function readHealth(map: MapReader | null): HttpHealthCheck | null {
  if (!map) return null;
  map.allow(HEALTH_KEYS);
  const health = {
    url: map.text('url', checkUrl),
    expectStatus: map.count('expectStatus', EXPECT_STATUS),
    timeoutMs: map.duration('timeout', TIMEOUT),
    intervalMs: map.duration('interval', INTERVAL),
    threshold: map.count('threshold', THRESHOLD),
    deadlineMs: map.duration('deadline', DEADLINE),
  };
  if ((health.threshold - 1) * health.intervalMs >= health.deadlineMs) {
    map.refuse('deadline', 'deadline: over before threshold checks can be made at this interval');
  }
  return health;
}
