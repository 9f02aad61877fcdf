/** What differs between two releases: what an approver must see when the base of a promotion has changed. */
import type { Digest } from '../values/digest.ts';
import type { Release } from './release.ts';

export interface ComponentDifference {
  readonly component: string;
  /** Null: the release has no such component. */
  readonly from: Digest | null;
  readonly to: Digest | null;
}

/** Named ones are enough to see what it is about; the event has all. */
const NAMED_MAX = 5;
const DIGEST_PREFIX = 'sha256:';
const DIGEST_LENGTH_SHOWN = 12;

/** By name of component; null stands for an environment that runs nothing. */
export function componentDifferences(from: Release | null, to: Release | null): readonly ComponentDifference[] {
  const before = digestsOf(from);
  const after = digestsOf(to);
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .map((component) => ({ component, from: before.get(component) ?? null, to: after.get(component) ?? null }))
    .filter((one) => one.from !== one.to);
}

/** `the base changed from shop-3 to shop-4: web 0a1b2c3d4e5f → 9f8e7d6c5b4a`. */
export function describeBaseChange(from: Release | null, to: Release | null): string {
  const differences = componentDifferences(from, to);
  const named = differences.slice(0, NAMED_MAX).map((one) => {
    const [before, after] = [one.from, one.to].map(shorten);
    return `${one.component} ${before} → ${after}`;
  });
  const more = differences.length > NAMED_MAX ? [`and ${differences.length - NAMED_MAX} more`] : [];
  const words = differences.length === 0 ? 'no component differs' : [...named, ...more].join(', ');
  return `the base changed from ${from?.name ?? 'nothing'} to ${to?.name ?? 'nothing'}: ${words}`;
}

function digestsOf(release: Release | null): ReadonlyMap<string, Digest> {
  return new Map(release?.components.map(({ name, digest }) => [name, digest]));
}

function shorten(digest: Digest | null): string {
  return digest === null ? 'none' : digest.slice(DIGEST_PREFIX.length, DIGEST_PREFIX.length + DIGEST_LENGTH_SHOWN);
}
