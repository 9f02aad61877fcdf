/** How a dependency stands: what other environments run, or that nothing is on its way into them. */
import type { DependencyGateDefinition, DependencyRequirement } from '../../environment/environment-definition.ts';
import type { DependencyStatus, PromotionSnapshot, WantedRelease } from '../snapshot.ts';

export interface DependencyStanding {
  readonly isMet: boolean;
  /** What is missing, or that all is there. */
  readonly message: string;
}

export function lookAtDependencies(
  { requires }: DependencyGateDefinition,
  { release, dependencies }: Pick<PromotionSnapshot, 'release' | 'dependencies'>,
): DependencyStanding {
  const missing = requires.flatMap((one) => {
    const place = dependencies.places.find((candidate) => candidate.environment === one.environment);
    const known = one.release === null ? release : dependencies.releases.find(({ name }) => name === one.release);
    const why = whyUnmet(one, place, known);
    return why === null ? [] : [why];
  });
  if (missing.length > 0) return { isMet: false, message: missing.join('; ') };
  return { isMet: true, message: requires.map(wordsOf).join('; ') };
}

function wordsOf({ environment, state, component }: DependencyRequirement): string {
  if (state === 'idle') return `nothing is on its way into ${environment}`;
  return component === null ? `${environment} runs it` : `${environment} runs component ${component}`;
}

function whyUnmet(
  { environment, state, component, release }: DependencyRequirement,
  place: DependencyStatus | undefined,
  wanted: WantedRelease | undefined,
): string | null {
  if (!place) return `there is no environment ${environment}`;
  if (state === 'idle') {
    return place.busyCount === 0 ? null : `${place.busyCount} on the way into ${environment}`;
  }
  if (!wanted) return `there is no release ${release ?? ''} yet`;
  if (place.releaseName === null && place.components.some((one) => one.releaseName !== null)) {
    return whyUnmetByParts(place, wanted, component);
  }
  if (place.releaseName === null) return `${environment} runs nothing yet, wanted is ${wanted.name}`;
  if (place.state !== 'whole') return `${environment} is ${place.state}`;
  if (place.releaseNumber < wanted.number) {
    return `${environment} runs ${place.releaseName}, wanted is ${wanted.name} or newer`;
  }
  const absent = namesOf(wanted, component).find((name) => place.components.every((one) => one.name !== name));
  return absent === undefined ? null : `${place.releaseName} in ${environment} has no component ${absent}`;
}

/** A newer release may carry fewer components: then the others of the wanted one do not run there as new. */
function namesOf(wanted: WantedRelease, component: string | null): readonly string[] {
  return component === null ? wanted.components.map((one) => one.name) : [component];
}

/** Components of several releases: each that the wanted release carries, or the one that is asked for, runs as new. */
function whyUnmetByParts(
  { environment, components }: DependencyStatus,
  wanted: WantedRelease,
  component: string | null,
): string | null {
  for (const name of namesOf(wanted, component)) {
    const row = components.find((one) => one.name === name);
    if (!row || row.releaseName === null) return `${environment} runs no component ${name}`;
    if (row.state !== 'whole') return `component ${name} of ${environment} is ${row.state}`;
    if (row.releaseNumber < wanted.number) {
      return `${environment} runs component ${name} of ${row.releaseName}, wanted is ${wanted.name} or newer`;
    }
  }
  return null;
}
