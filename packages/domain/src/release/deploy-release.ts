/** The release that `stella deploy` makes on the way: one artifact, and beside it what runs already where all must be carried. */
import { AppError } from '../errors/app-error.ts';
import type { EnvironmentDefinition } from '../environment/environment-definition.ts';
import { componentsOf } from '../environment/target-components.ts';
import type { InstantMs } from '../values/instant.ts';
import { toRfc3339 } from '../values/instant.ts';
import type { Release, ReleaseComponent } from './release.ts';

/** Hex digits of a digest that tell it from others in a name. */
const SHOWN_DIGITS = 12;
/** A release's name may have no more characters. */
const NAME_LENGTH_MAX = 100;

type Place = Pick<EnvironmentDefinition, 'name' | 'concurrency' | 'targets'>;

/**
 * The component that the artifact is deployed as: the wanted one, the only one that runs there, or the one that it had in
 * releases. Errors: `input.invalid`, naming those that there are.
 */
export function deployedComponent({ name, targets }: Place, wanted: string | null, known: readonly string[]): string {
  const there = [...new Set(targets.flatMap(componentsOf))].sort();
  const fitting = wanted === null ? there.filter((one) => known.includes(one)) : there.filter((one) => one === wanted);
  const [component, second] = fitting.length === 0 && wanted === null ? there : fitting;
  if (component !== undefined && second === undefined) return component;
  const message =
    wanted === null
      ? `${name} runs ${there.join(', ')}: say which of them this artifact is with --component`
      : `no target of ${name} runs the component "${wanted}"; there are ${there.join(', ')}`;
  throw new AppError('input.invalid', { details: { message } });
}

/** With `concurrency: exclusive` a release carries everything, so the others stay as they run. */
export function deployRelease(
  place: Place,
  component: ReleaseComponent,
  { base, nowMs }: { readonly base: Release | null; readonly nowMs: InstantMs },
): { readonly name: string; readonly components: readonly ReleaseComponent[] } {
  const others = place.concurrency === 'exclusive' ? (base?.components ?? []) : [];
  const wanted = new Set(place.targets.flatMap(componentsOf));
  const kept = others.filter((one) => one.name !== component.name && wanted.has(one.name));
  // Each deploy has a release of its own: the moment tells it from earlier ones of the same artifact.
  const at = toRfc3339(nowMs).replace(/[^0-9T]/g, '');
  const digits = component.digest.slice('sha256:'.length, 'sha256:'.length + SHOWN_DIGITS);
  const name = `${place.name}-${component.name}`.slice(0, NAME_LENGTH_MAX - digits.length - at.length - 2);
  return { name: `${name}-${digits}-${at}`, components: [...kept, component] };
}
