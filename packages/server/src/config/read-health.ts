/** The health check of a target: `health`, with its checks. */
import {
  type CommandHealthCheck,
  type ContainerHealthCheck,
  HEALTH_KINDS,
  type HealthCheck,
  type HealthKind,
} from '@stella/domain';
import { checkHost, checkUrl } from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { readArgv } from './read-argv.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './time-units.ts';

const TIMING_KEYS = ['timeout', 'interval', 'threshold', 'deadline'] as const;
const HEALTH_KEYS_BY_KIND: Readonly<Record<HealthKind, readonly string[]>> = {
  http: ['url', 'expectStatus', ...TIMING_KEYS],
  tcp: ['address', 'port', ...TIMING_KEYS],
  command: ['command', ...TIMING_KEYS],
  container: ['interval', 'deadline'],
};
const EXPECT_STATUS: NumberRule = { standard: 200, min: 100, max: 599 };
const PORT: NumberRule = { min: 1, max: 65_535 };
const TIMEOUT: NumberRule = { standard: 5 * SECOND_MS, min: 10, max: MINUTE_MS };
const INTERVAL: NumberRule = { standard: SECOND_MS, min: 10, max: 5 * MINUTE_MS };
/** Twice: the first good answer after a switch may still come from the old release. */
const THRESHOLD: NumberRule = { standard: 2, min: 1, max: 20 };
const DEADLINE: NumberRule = { standard: MINUTE_MS, min: 100, max: HOUR_MS };

/** Null when there is none. */
export function readHealth(map: MapReader | null): HealthCheck | ContainerHealthCheck | null {
  const kind = map?.choice('kind', HEALTH_KINDS, 'http') ?? null;
  if (!map || kind === null) return null;
  map.allow(['kind', ...HEALTH_KEYS_BY_KIND[kind]], (key) => {
    const owner = HEALTH_KINDS.find((other) => HEALTH_KEYS_BY_KIND[other].includes(key));
    return owner === undefined ? null : `health checks of kind ${owner} have it`;
  });
  switch (kind) {
    case 'http':
      return {
        url: map.text('url', checkUrl),
        expectStatus: map.count('expectStatus', EXPECT_STATUS),
        ...readTiming(map),
      };
    case 'tcp':
      return { kind, address: map.text('address', checkHost), port: map.count('port', PORT), ...readTiming(map) };
    case 'command':
      return { kind, command: readArgv(map, 'command'), ...readTiming(map) };
    case 'container':
      return { kind, intervalMs: map.duration('interval', INTERVAL), deadlineMs: map.duration('deadline', DEADLINE) };
  }
}

function readTiming(map: MapReader): Omit<CommandHealthCheck, 'kind' | 'command'> {
  const timing = {
    timeoutMs: map.duration('timeout', TIMEOUT),
    intervalMs: map.duration('interval', INTERVAL),
    threshold: map.count('threshold', THRESHOLD),
    deadlineMs: map.duration('deadline', DEADLINE),
  };
  if ((timing.threshold - 1) * timing.intervalMs >= timing.deadlineMs) {
    map.refuse('deadline', 'deadline: over before threshold checks can be made at this interval');
  }
  return timing;
}
