/**
 * What of an environment a promotion is about: all of it, or with `concurrency: per_component` the components that its
 * release carries. Its base, its locks, its turn and what it changes follow from that.
 */
import { partsFor } from '../environment/target-components.ts';
import type { TargetDefinition } from '../environment/target-definition.ts';
import { isPlanted } from '../planted-bugs.ts';
import type { Release, ReleaseComponent } from '../release/release.ts';
import type { ReleaseId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type { ComponentStatus, EnvironmentState, EnvironmentStatus, Promotion } from './promotion.ts';
import type { PromotionSnapshot } from './snapshot.ts';

const UNTOUCHED: Omit<ComponentStatus, 'component'> = {
  releaseId: null,
  releaseNumber: 0,
  releasedAtMs: null,
  state: 'empty',
};

/** Components of the scope with what runs of them. */
function scopeOf(environment: EnvironmentStatus, release: Release): readonly ComponentStatus[] {
  if (environment.concurrency === 'exclusive') return environment.components;
  return release.components.map(
    ({ name }) => environment.components.find((one) => one.component === name) ?? { ...UNTOUCHED, component: name },
  );
}

/** Targets whose components the release carries; with `exclusive` all of them do, or it may not enter. */
export function targetsOf({ definition }: Pick<Promotion, 'definition'>, release: Release): TargetDefinition[] {
  return definition.targets.filter((target) => partsFor(target, release) !== null);
}

/** Resources that the promotion excludes others from. */
export function placesOf(
  { name, concurrency }: Pick<EnvironmentStatus, 'name' | 'concurrency'>,
  release: { readonly components: readonly { readonly name: string }[] },
): readonly string[] {
  if (concurrency === 'exclusive') return [`environment:${name}`];
  return release.components.map((component) => `environment:${name}/${component.name}`);
}

/** An older release never overwrites a newer one (safety S11). */
export function isOlderThanBase(environment: EnvironmentStatus, release: Release): boolean {
  if (environment.concurrency === 'exclusive') return environment.releaseNumber > release.number;
  return scopeOf(environment, release).some((one) => one.releaseNumber > release.number);
}

/**
 * What runs in the scope, as one id: that of the release; with components of several releases a text of all of them,
 * which changes with each, and is the id of no release (`composeBase`). Null: nothing was ever verified there.
 */
export function baseIdOf(environment: EnvironmentStatus, release: Release): ReleaseId | null {
  const scope = scopeOf(environment, release);
  const ids = new Set(scope.flatMap((one) => one.releaseId ?? []));
  const [only] = ids;
  if (ids.size <= 1) return only ?? null;
  const parts = scope.map((one) => `${one.component}=${one.releaseId ?? ''}`).sort();
  // No release's, so it is only compared, kept, and taken apart by `partsOf`.
  return parts.join(',') as ReleaseId;
}

/** Ids of the releases that a base is of, for `composeBase`. */
export function releaseIdsOf(baseId: ReleaseId): readonly ReleaseId[] {
  return [...new Set(partsOf(baseId)?.flatMap((one) => one.releaseId ?? []) ?? [baseId])];
}

/**
 * What a base id stands for, as a release of that id: what a rollback brings back. That is the one release, or the
 * components of several, each from its own. A component that was never verified there is not in it.
 */
export function composeBase(id: ReleaseId, known: readonly Release[]): Release | null {
  const parts = partsOf(id);
  if (parts === null) return known.find((one) => one.id === id) ?? null;
  const components = parts.flatMap(({ component, releaseId }): ReleaseComponent[] => {
    const source = known.find((one) => one.id === releaseId);
    return source?.components.filter((one) => one.name === component) ?? [];
  });
  return {
    id,
    name: known.map((one) => one.name).join(' + '),
    components,
    createdAtMs: Math.max(...known.map((one) => one.createdAtMs)),
    number: Math.max(...known.map((one) => one.number)),
  };
}

/** The release that a component is of in that base: null when nothing of it was verified. */
export function baseReleaseOf(
  baseId: ReleaseId,
  component: string,
  hasComponent: (releaseId: ReleaseId, component: string) => boolean,
): ReleaseId | null {
  const parts = partsOf(baseId);
  const releaseId = parts === null ? baseId : (parts.find((one) => one.component === component)?.releaseId ?? null);
  return releaseId !== null && hasComponent(releaseId, component) ? releaseId : null;
}

/** What a promotion is bound to, whatever the environment runs by now; null: nothing was verified there. */
export function boundBaseOf({
  promotion,
  base,
  formerBase,
}: Pick<PromotionSnapshot, 'promotion' | 'base' | 'formerBase'>): Release | null {
  return promotion.baseReleaseId === null ? null : (formerBase ?? base);
}

/** Of several releases, so that it is the id of none. */
export function isComposed(baseId: ReleaseId): boolean {
  return baseId.includes('=');
}

/** Null: the id of one release. */
function partsOf(baseId: ReleaseId): { readonly component: string; readonly releaseId: ReleaseId | null }[] | null {
  if (!isComposed(baseId)) return null;
  return baseId.split(',').map((part) => {
    const [component = '', releaseId = ''] = part.split('=');
    // Written by `baseIdOf`; names of components hold neither sign.
    return { component, releaseId: releaseId === '' ? null : (releaseId as ReleaseId) };
  });
}

/** All components of the release run in the environment, verified; the moment when the last one was. Null: not all do. */
export function runsWholeSinceMs(environment: EnvironmentStatus, release: Release): InstantMs | null {
  const rows = release.components.map(({ name }) => environment.components.find((one) => one.component === name));
  const isWhole = rows.every((row) => row?.releaseId === release.id && row.state === 'whole');
  if (!isWhole || (environment.concurrency === 'exclusive' && environment.state !== 'whole')) return null;
  return Math.max(0, ...rows.map((row) => row?.releasedAtMs ?? 0));
}

/** Some component that the release does not carry runs there of that other release. */
export function runsBeside(environment: EnvironmentStatus, other: ReleaseId, release: Release): boolean {
  return environment.components.some((one) => one.releaseId === other && !carries(release, one.component));
}

/** As it is after the release was verified there. */
export function withRelease(environment: EnvironmentStatus, release: Release, nowMs: InstantMs): EnvironmentStatus {
  const verified = release.components.map(
    ({ name }): ComponentStatus => ({
      component: name,
      releaseId: release.id,
      releaseNumber: release.number,
      releasedAtMs: nowMs,
      state: 'whole',
    }),
  );
  const areForgotten = environment.concurrency === 'exclusive' || isPlanted('component.others_forgotten');
  const kept = areForgotten ? [] : environment.components;
  return summed(environment, [...kept.filter((one) => !carries(release, one.component)), ...verified]);
}

/** As it is with the scope in another state; itself when that is its state already. */
export function withState(
  environment: EnvironmentStatus,
  release: Release,
  state: EnvironmentState,
): EnvironmentStatus {
  const scope = scopeOf(environment, release);
  if (environment.concurrency === 'exclusive') {
    if (environment.state === state && scope.every((one) => one.state === state)) return environment;
    const rows = scope.length > 0 ? scope : release.components.map(({ name }) => ({ ...UNTOUCHED, component: name }));
    return { ...environment, state, components: rows.map((one) => ({ ...one, state })) };
  }
  if (scope.every((one) => one.state === state)) return environment;
  const others = environment.components.filter((one) => !carries(release, one.component));
  return summed(environment, [...others, ...scope.map((one) => ({ ...one, state }))]);
}

/** How the scope is, as bad as its worst component. */
export function stateOfScope(environment: EnvironmentStatus, release: Release): EnvironmentState {
  if (environment.concurrency === 'exclusive') return environment.state;
  return worstOf(scopeOf(environment, release)) ?? environment.state;
}

/** From the worst to the best. */
export const STATES_BY_HARM: readonly EnvironmentState[] = ['unknown', 'mixed', 'empty', 'whole'];

/** An environment is as its worst component; null while none was touched. */
export function worstOf(components: readonly ComponentStatus[]): EnvironmentState | null {
  return STATES_BY_HARM.find((state) => components.some((one) => one.state === state)) ?? null;
}

function summed(environment: EnvironmentStatus, rows: readonly ComponentStatus[]): EnvironmentStatus {
  const components = [...rows].sort((a, b) => (a.component < b.component ? -1 : 1));
  const ids = new Set(components.map((one) => one.releaseId));
  const [only] = ids;
  const releasedAtMs = Math.max(0, ...components.map((one) => one.releasedAtMs ?? 0));
  return {
    ...environment,
    components,
    releaseId: ids.size === 1 ? (only ?? null) : null,
    releaseNumber: Math.max(0, ...components.map((one) => one.releaseNumber)),
    releasedAtMs: releasedAtMs === 0 ? null : releasedAtMs,
    state: worstOf(components) ?? environment.state,
  };
}

function carries(release: Release, component: string): boolean {
  return release.components.some((one) => one.name === component);
}
