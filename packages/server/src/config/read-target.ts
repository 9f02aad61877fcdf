/** One entry of `targets`: keys, limits and defaults. */
import {
  type CommandArgv,
  type CommandTargetDefinition,
  type ContainerHealthCheck,
  HEALTH_KINDS,
  type HealthCheck,
  type HealthKind,
  type HttpHealthCheck,
  TARGET_KINDS,
  type TargetDefinition,
  type TargetKind,
  type TcpHealthCheck,
} from '@stella/domain';
import {
  checkArgument,
  checkDirectory,
  checkHost,
  checkName,
  checkProgram,
  checkUrl,
  withoutEndSlash,
} from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { COMPOSE_KEYS, readComposeOptions } from './read-compose-options.ts';
import { DOCKER_KEYS, readDockerOptions } from './read-docker-options.ts';
import { readTargetHost } from './read-target-host.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './time-units.ts';

const COMMON_KEYS = ['name', 'kind', 'health'] as const;
const KEYS_BY_KIND: Readonly<Record<TargetKind, readonly string[]>> = {
  files: ['component', 'host', 'directory', 'keep'],
  command: ['component', 'host', 'deploy', 'rollback', 'observe', 'stateDirectory'],
  docker: ['component', 'host', 'stateDirectory', ...DOCKER_KEYS],
  compose: ['host', 'stateDirectory', ...COMPOSE_KEYS],
};
/** A program and its arguments. */
const ARGV_COUNT_MAX = 50;
/** One is the running release itself. */
const KEEP: NumberRule = { standard: 3, min: 1, max: 50 };

const TIMING_KEYS = ['timeout', 'interval', 'threshold', 'deadline'] as const;
const HTTP_HEALTH_KEYS = ['kind', 'url', 'expectStatus', ...TIMING_KEYS] as const;
const TCP_HEALTH_KEYS = ['kind', 'address', 'port', ...TIMING_KEYS] as const;
const CONTAINER_HEALTH_KEYS = ['kind', 'interval', 'deadline'] as const;
const EXPECT_STATUS: NumberRule = { standard: 200, min: 100, max: 599 };
const PORT: NumberRule = { min: 1, max: 65_535 };
const TIMEOUT: NumberRule = { standard: 5 * SECOND_MS, min: 10, max: MINUTE_MS };
const INTERVAL: NumberRule = { standard: SECOND_MS, min: 10, max: 5 * MINUTE_MS };
/** Twice: the first good answer after a switch may still come from the old release. */
const THRESHOLD: NumberRule = { standard: 2, min: 1, max: 20 };
const DEADLINE: NumberRule = { standard: MINUTE_MS, min: 100, max: HOUR_MS };

/** Null when the kind is unknown: nothing else can be said about such a target. */
export function readTarget(map: MapReader): TargetDefinition | null {
  const kind = map.choice('kind', TARGET_KINDS);
  if (kind === null) return null;
  map.allow([...COMMON_KEYS, ...KEYS_BY_KIND[kind]], (key) => {
    const owner = TARGET_KINDS.find((other) => KEYS_BY_KIND[other].includes(key));
    return owner === undefined ? null : `targets of kind ${owner} have it, this one is of kind ${kind}`;
  });
  const health = readHealth(map.map('health'));
  const name = map.text('name', checkName);
  if (kind === 'compose') return { kind, name, health, ...readHostPlace(map), ...readComposeOptions(map, name) };
  const common = { name, component: map.text('component', checkName) };
  if (kind === 'docker') return { kind, ...common, health, ...readHostPlace(map), ...readDockerOptions(map, name) };
  if (health?.kind === 'container') {
    map.refuse('health', 'health: only containers have a health check of their own; use another kind');
    return null;
  }
  switch (kind) {
    case 'files': {
      const host = readTargetHost(map);
      return {
        kind,
        ...common,
        health,
        ...(host && { host }),
        directory: withoutEndSlash(map.text('directory', checkDirectory)),
        keepCount: map.count('keep', KEEP),
      };
    }
    case 'command':
      return { kind, ...common, health, ...readCommand(map) };
  }
}

type Own = Omit<CommandTargetDefinition, 'kind' | 'name' | 'component' | 'health'>;

function readCommand(map: MapReader): Own {
  const rollback = map.has('rollback') ? readArgv(map, 'rollback') : null;
  return {
    ...readHostPlace(map),
    deploy: readArgv(map, 'deploy'),
    ...(rollback && { rollback }),
    observe: readArgv(map, 'observe'),
  };
}

/** Where it runs, and where its fence is kept there. */
function readHostPlace(map: MapReader): Pick<CommandTargetDefinition, 'host' | 'stateDirectory'> {
  const host = readTargetHost(map);
  const stateDirectory = map.text('stateDirectory', (value) => (value === '' ? null : checkDirectory(value)), '');
  return {
    ...(host && { host }),
    ...(stateDirectory !== '' && { stateDirectory: withoutEndSlash(stateDirectory) }),
  };
}

/** The first is a program's path; of an argument that is given twice both count. */
function readArgv(map: MapReader, key: string): CommandArgv {
  const [program = '', ...args] = map.list(key, checkArgument, { countMax: ARGV_COUNT_MAX, isRequired: true }) ?? [];
  const fault = program === '' ? null : checkProgram(program);
  if (fault !== null) map.refuse(key, `${key}: ${fault}`);
  return [program, ...args];
}

function readHealth(map: MapReader | null): HealthCheck | ContainerHealthCheck | null {
  if (!map) return null;
  switch (map.choice('kind', HEALTH_KINDS, 'http')) {
    case 'http':
      return readHttpHealth(map);
    case 'tcp':
      return readTcpHealth(map);
    case 'container':
      return readContainerHealth(map);
    case null:
      return null;
  }
}

function readContainerHealth(map: MapReader): ContainerHealthCheck {
  map.allow(CONTAINER_HEALTH_KEYS, (key) => healthOwner('http', key, HTTP_HEALTH_KEYS));
  return {
    kind: 'container',
    intervalMs: map.duration('interval', INTERVAL),
    deadlineMs: map.duration('deadline', DEADLINE),
  };
}

function readHttpHealth(map: MapReader): HttpHealthCheck {
  map.allow(HTTP_HEALTH_KEYS, (key) => healthOwner('tcp', key, TCP_HEALTH_KEYS));
  return {
    url: map.text('url', checkUrl),
    expectStatus: map.count('expectStatus', EXPECT_STATUS),
    ...readTiming(map),
  };
}

function readTcpHealth(map: MapReader): TcpHealthCheck {
  map.allow(TCP_HEALTH_KEYS, (key) => healthOwner('http', key, HTTP_HEALTH_KEYS));
  return {
    kind: 'tcp',
    address: map.text('address', checkHost),
    port: map.count('port', PORT),
    ...readTiming(map),
  };
}

function healthOwner(kind: HealthKind, key: string, keys: readonly string[]): string | null {
  return keys.includes(key) ? `health checks of kind ${kind} have it` : null;
}

function readTiming(map: MapReader): Pick<TcpHealthCheck, 'timeoutMs' | 'intervalMs' | 'threshold' | 'deadlineMs'> {
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
