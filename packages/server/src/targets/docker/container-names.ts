/** How a `docker` target knows its containers again: labels say whose they are, names which part they play. */
import { createHash } from 'node:crypto';
import type { Digest } from '@stella/domain';
import type { EngineContainer } from '../../ports/docker-engine.ts';

const PREFIX = 'dev.stella.';

/** One target of one environment; together unique on an engine. */
export interface TargetPlace {
  readonly environment: string;
  readonly target: string;
  /** Name of the container that serves. */
  readonly container: string;
}

export interface Origin {
  readonly component: string;
  /** As promised: of an index when that was released. */
  readonly digest: Digest;
  readonly operationId: string;
  /** Of everything that it was created with but secrets; another one makes another container. */
  readonly config: Digest;
}

type Owner = Pick<TargetPlace, 'environment' | 'target'>;

/** Labels by which all containers of a target are found. */
export function placeLabels({ environment, target }: Owner): Readonly<Record<string, string>> {
  return { [`${PREFIX}environment`]: environment, [`${PREFIX}target`]: target };
}

export function originLabels(
  place: TargetPlace,
  { component, digest, operationId, config }: Origin,
): Readonly<Record<string, string>> {
  return {
    ...originLabelsOf(place, { name: component, digest }),
    [`${PREFIX}operation`]: operationId,
    [`${PREFIX}config`]: config,
  };
}

/** Of what is left running while it stays the same, whichever operation made it. */
export function originLabelsOf(
  owner: Owner,
  { name, digest }: { readonly name: string; readonly digest: Digest },
): Readonly<Record<string, string>> {
  return { ...placeLabels(owner), [`${PREFIX}component`]: name, [`${PREFIX}digest`]: digest };
}

export function labelOf(
  { labels }: Pick<EngineContainer, 'labels'>,
  name: 'component' | 'digest' | 'operation' | 'config',
): string | null {
  return labels[`${PREFIX}${name}`] ?? null;
}

export function isOf(place: Owner, { labels }: Pick<EngineContainer, 'labels'>): boolean {
  return Object.entries(placeLabels(place)).every(([name, value]) => labels[name] === value);
}

/** Of the container that an operation makes, until it takes its place. */
export function nextName({ container }: TargetPlace, operationId: string): string {
  return `${container}.next.${markOf(operationId)}`;
}

/** Of the container that an operation has put aside, until the new one serves. */
export function formerName({ container }: TargetPlace, operationId: string): string {
  return `${container}.former.${markOf(operationId)}`;
}

export function isFormer({ container }: TargetPlace, { name }: Pick<EngineContainer, 'name'>): boolean {
  return name.startsWith(`${container}.former.`);
}

/** Twelve hex digits keep the few operations of a target apart, whose ids may be as long as a name. */
function markOf(operationId: string): string {
  return createHash('sha256').update(operationId).digest('hex').slice(0, 12);
}
