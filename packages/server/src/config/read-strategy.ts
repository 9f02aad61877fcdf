/** `strategy` of an environment: how a deploy goes through its targets, and who judges a canary. */
import {
  type CanaryJudge,
  type CanaryStrategy,
  componentsOf,
  type DeployStrategy,
  type EnvironmentDefinition,
  type JudgedValue,
  refuseSoak,
  STRATEGY_KINDS,
} from '@stella/domain';
import { checkName, checkUrl } from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './time-units.ts';

const SOAK: NumberRule = { min: SECOND_MS, max: 4 * HOUR_MS };
const EXPECT_STATUS: NumberRule = { standard: 200, min: 100, max: 599 };
const TIMEOUT: NumberRule = { standard: 5 * SECOND_MS, min: 10, max: MINUTE_MS };
const INTERVAL: NumberRule = { standard: 15 * SECOND_MS, min: SECOND_MS, max: HOUR_MS };
const FAILURES_ALLOWED: NumberRule = { standard: 0, min: 0, max: 100 };

/** Of the same environment, as it was read. */
export type StrategySetting = Pick<EnvironmentDefinition, 'targets' | 'concurrency' | 'deployDeadlineMs'>;

/** Null when the key is absent, and for `all_at_once`, which says the same. */
export function readStrategy(map: MapReader | null, setting: StrategySetting): DeployStrategy | null {
  const kind = map?.choice('kind', STRATEGY_KINDS) ?? null;
  if (!map || kind === null) return null;
  if (kind === 'all_at_once') {
    map.allow(['kind']);
    return null;
  }
  if (kind === 'canary') return readCanary(map, setting);
  map.allow(['kind', 'maxUnavailable']);
  return { kind, maxUnavailable: map.count('maxUnavailable', { min: 1, max: Math.max(1, setting.targets.length) }) };
}

function readCanary(map: MapReader, setting: StrategySetting): CanaryStrategy | null {
  map.allow(['kind', 'targets', 'soak', 'judge']);
  const targets = map.texts('targets', checkName, { countMax: setting.targets.length, isRequired: true }) ?? [];
  const soakMs = map.duration('soak', SOAK);
  if (!map.has('judge')) map.refuse('judge', 'judge: a canary needs somebody to ask: a url, at least');
  const judge = readJudge(map.map('judge'));
  refuseTargets(map, targets, setting);
  if (!judge) return null;
  const strategy: CanaryStrategy = { kind: 'canary', targets, soakMs, judge };
  const refusal = refuseSoak(strategy, setting.deployDeadlineMs);
  if (refusal !== null) map.refuse('soak', `soak: ${refusal}`);
  return strategy;
}

/** A canary is some of the targets, and with components some of each: else a release would go around it. */
function refuseTargets(map: MapReader, names: readonly string[], { targets, concurrency }: StrategySetting): void {
  const unknown = names.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) map.refuse('targets', `targets: this environment has no target "${unknown}"`);
  const others = targets.filter((target) => !names.includes(target.name));
  if (others.length === 0 && targets.length > 0) {
    map.refuse('targets', 'targets: all targets of the environment; at least one has to come after the canary');
  }
  if (concurrency === 'exclusive') return;
  const covered = new Set(targets.filter((target) => names.includes(target.name)).flatMap(componentsOf));
  const missing = targets.flatMap(componentsOf).find((component) => !covered.has(component));
  if (missing !== undefined) {
    const why = 'with concurrency: per_component a release of it alone would have no canary';
    map.refuse('targets', `targets: none runs component "${missing}"; ${why}`);
  }
}

function readJudge(map: MapReader | null): CanaryJudge | null {
  if (!map) return null;
  map.allow(['url', 'expectStatus', 'timeout', 'interval', 'failuresAllowed', 'value']);
  const value = readValue(map.map('value'));
  return {
    url: map.text('url', checkUrl),
    expectStatus: map.count('expectStatus', EXPECT_STATUS),
    timeoutMs: map.duration('timeout', TIMEOUT),
    intervalMs: map.duration('interval', INTERVAL),
    failuresAllowed: map.count('failuresAllowed', FAILURES_ALLOWED),
    ...(value ? { value } : {}),
  };
}

function readValue(map: MapReader | null): JudgedValue | null {
  if (!map) return null;
  map.allow(['pointer', 'min', 'max']);
  const pointer = map.text('pointer', checkPointer);
  const min = map.decimal('min');
  const max = map.decimal('max');
  if (!map.has('min') && !map.has('max')) map.refuse('pointer', 'value: expected min, max or both');
  if (min !== null && max !== null && min > max) map.refuse('min', 'min: more than max, so that no number fits');
  return { pointer, ...(min === null ? {} : { min }), ...(max === null ? {} : { max }) };
}

/** RFC 6901, section 3: parts that begin with a slash, in which `~` is written `~0` and `/` is written `~1`. */
function checkPointer(value: string): string | null {
  if (value.length > 500) return 'the pointer is longer than 500 characters';
  return /^(\/([^/~]|~[01])*)+$/.test(value) ? null : `"${value}" is no JSON pointer; write /data/result/0/value/1`;
}
