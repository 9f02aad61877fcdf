/** One entry of `targets`: keys, limits and defaults. */
import { type CommandTargetDefinition, TARGET_KINDS, type TargetDefinition, type TargetKind } from '@stella/domain';
import { checkDirectory, checkName, withoutEndSlash } from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { readArgv } from './read-argv.ts';
import { COMPOSE_KEYS, readComposeOptions } from './read-compose-options.ts';
import { DOCKER_KEYS, readDockerOptions } from './read-docker-options.ts';
import { readHealth } from './read-health.ts';
import { readTargetHost } from './read-target-host.ts';

const COMMON_KEYS = ['name', 'kind', 'health'] as const;
const KEYS_BY_KIND: Readonly<Record<TargetKind, readonly string[]>> = {
  files: ['component', 'host', 'directory', 'keep'],
  command: ['component', 'host', 'deploy', 'rollback', 'observe', 'stateDirectory'],
  docker: ['component', 'host', 'stateDirectory', ...DOCKER_KEYS],
  compose: ['host', 'stateDirectory', ...COMPOSE_KEYS],
};
/** One is the running release itself. */
const KEEP: NumberRule = { standard: 3, min: 1, max: 50 };

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
