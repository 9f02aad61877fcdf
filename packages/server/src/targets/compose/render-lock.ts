/**
 * The lock of one deploy: the Compose file of the definition with every image by its digest, complete, so that the same
 * bytes mean the same containers on every host. Pure.
 */
import { createHash } from 'node:crypto';
import {
  combinedDigest,
  composeEntries,
  composeMap,
  composeSecrets,
  type ComposeTargetDefinition,
  formatArtifact,
  type Json,
  type JsonMap,
  type ReleaseComponent,
} from '@stella/domain';
import { stringify } from 'yaml';
import { originLabelsOf, placeLabels } from '../docker/container-names.ts';
import type { Operation } from '../fenced-host.ts';

export interface Lock {
  readonly text: string;
  /** SHA-256 of the text, 64 hex digits: its name on the host. */
  readonly checksum: string;
}

export interface LockWish {
  readonly environment: string;
  readonly operation: Operation;
  readonly parts: readonly ReleaseComponent[];
}

/**
 * Labels of containers say only what they are made of, so that those of a component that stays the same are left running;
 * whose deploy it was stands at the top. Compose reads YAML 1.1 or 1.2, depending on its age: in quotes both are the same.
 */
export function renderLock(definition: ComposeTargetDefinition, wish: LockWish): Lock {
  const { compose } = definition;
  const services = Object.entries(composeMap(compose['services'])).map(([name, service]): readonly [string, object] => [
    name,
    lockedService(definition, wish, [name, composeMap(service)]),
  ]);
  const document = {
    'x-stella': originOf(definition, wish),
    ...compose,
    services: Object.fromEntries<object>(services),
  };
  const text = stringify(document, {
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'QUOTE_DOUBLE',
    aliasDuplicateObjects: false,
    lineWidth: 0,
  });
  return { text, checksum: createHash('sha256').update(text).digest('hex') };
}

function originOf({ name, project }: ComposeTargetDefinition, { environment, operation, parts }: LockWish): object {
  const { fence, operationId } = operation;
  return {
    environment,
    target: name,
    project,
    release: combinedDigest(parts),
    components: Object.fromEntries(parts.map((part) => [part.name, part.digest])),
    fence: `${fence.epoch}.${fence.n}`,
    operation: operationId,
  };
}

/**
 * Each secret (`composeSecrets`) and the variable of Compose's own environment that its value comes in. The lock names that in
 * place of the value; Compose takes a service for changed when the value is another.
 */
export function valueVariables(definition: ComposeTargetDefinition): Readonly<Record<string, string>> {
  const names = Object.keys(composeSecrets(definition));
  return Object.fromEntries(names.map((name, index) => [name, `STELLA_VALUE_${index + 1}`]));
}

/** Nothing is added to a service without secrets. Without its value Compose ends, whoever runs it with the lock. */
function withSecrets(definition: ComposeTargetDefinition, service: string, given: JsonMap): object {
  const own = Object.keys(definition.secretEnv?.[service] ?? {});
  if (own.length === 0) return given;
  const variables = valueVariables(definition);
  const environment = new Map<string, Json | undefined>(composeEntries(given['environment']));
  for (const name of own) environment.set(name, `\${${variables[`${service}.${name}`]}?given by Stella}`);
  return { ...given, environment: Object.fromEntries<Json | undefined>(environment) };
}

function lockedService(
  definition: ComposeTargetDefinition,
  { environment, parts }: LockWish,
  [service, given]: readonly [string, JsonMap],
): object {
  const { name: target, components } = definition;
  const place = { environment, target };
  const part = parts.find((one) => one.name === components[service]);
  const own = part ? originLabelsOf(place, part) : placeLabels(place);
  const labels = {
    ...Object.fromEntries(composeEntries(given['labels']).map(([key, value]) => [key, value ?? ''])),
    ...own,
  };
  return {
    ...withSecrets(definition, service, given),
    ...(part && { image: formatArtifact(part.source, part.digest) }),
    labels,
  };
}
