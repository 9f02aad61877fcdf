/**
 * The keys of a target of kind `compose` beside those that every kind has. Of a Compose file only what says the same on every
 * host is taken: what it would read there, variables, files and builds, could be another thing at the next deploy.
 */
import { composeEntries, composeMap, type ComposeOptions, type JsonMap } from '@stella/domain';
import { faultsOfCompose } from './compose-file-rules.ts';
import { checkDirectory, checkName } from './definition-checks.ts';
import type { MapReader } from './map-reader.ts';
import { checkSecretVariable, VARIABLES_MAX } from './read-docker-options.ts';

export const COMPOSE_KEYS = ['components', 'project', 'socket', 'compose', 'secretEnv'] as const;

/** Of a Compose file as JSON; one service needs 300. */
const COMPOSE_LENGTH_MAX = 65_536;
const COMPONENTS_MAX = 50;
/** Compose specification, "Name top-level element". */
const PROJECT_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
/** As Compose takes the names of services. */
const SERVICE_NAME = /^[a-zA-Z0-9._-]{1,63}$/;

/** `name` is that of the target. */
export function readComposeOptions(map: MapReader, name: string): ComposeOptions {
  const components = map.pairs('components', checkComponent, COMPONENTS_MAX);
  if (Object.keys(components).length === 0) {
    map.refuse('components', 'components: expected at least one service with its component, such as "api: shop-api"');
  }
  const compose = map.json('compose', COMPOSE_LENGTH_MAX);
  if (Object.keys(compose).length > 0) {
    for (const fault of faultsOfCompose(compose, components)) map.refuse('compose', `compose: ${fault}`);
  }
  const secretEnv = readSecretEnv(map, composeMap(compose['services']));
  return {
    components,
    project: map.text('project', checkProject, name),
    socket: map.has('socket') ? map.text('socket', checkDirectory) : null,
    compose,
    ...(Object.keys(secretEnv).length > 0 && { secretEnv }),
  };
}

/** Of services that have some. */
function readSecretEnv(map: MapReader, services: JsonMap): NonNullable<ComposeOptions['secretEnv']> {
  const given = map.map('secretEnv');
  given?.allow(Object.keys(services));
  const found: Record<string, Record<string, string>> = {};
  for (const [service, own] of Object.entries(services)) {
    const variables = given?.pairs(service, checkSecretVariable, VARIABLES_MAX) ?? {};
    if (Object.keys(variables).length > 0) found[service] = variables;
    for (const [both] of composeEntries(composeMap(own)['environment']).filter(([one]) =>
      Object.hasOwn(variables, one),
    )) {
      map.refuse('secretEnv', `secretEnv: "${both}" is in the environment of service "${service}" too`);
    }
  }
  return found;
}

function checkComponent(service: string, component: string): string | null {
  if (!SERVICE_NAME.test(service)) return `"${service.slice(0, 80)}" is not the name of a service`;
  return checkName(component);
}

function checkProject(value: string): string | null {
  if (PROJECT_NAME.test(value)) return null;
  return `"${value.slice(0, 80)}" is not the name of a project; expected lower-case letters, digits, "_" and "-", at most 63`;
}
