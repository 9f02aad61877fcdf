/** Which components of a release a target runs, and the one digest by which it is told whether it runs what was promised. */
import type { Release, ReleaseComponent } from '../release/release.ts';
import { canonicalJson } from '../values/canonical-json.ts';
import { type Digest, digestOf } from '../values/digest.ts';
import type { TargetDefinition } from './target-definition.ts';

/** Names without repeats, at least one; of several in the order of their characters. */
export function componentsOf(target: TargetDefinition): readonly string[] {
  if (target.kind !== 'compose') return [target.component];
  return [...new Set(Object.values(target.components))].sort();
}

/** For people, and on the wire: `api, worker`. */
export function componentWords(target: TargetDefinition): string {
  return componentsOf(target).join(', ');
}

/** What of a release a target runs, in the order of `componentsOf`; null when the release lacks some of it. */
export function partsFor(
  target: TargetDefinition,
  release: Pick<Release, 'components'> | null | undefined,
): readonly ReleaseComponent[] | null {
  const names = componentsOf(target);
  const parts = names.flatMap((name) => release?.components.find((one) => one.name === name) ?? []);
  return parts.length === names.length ? parts : null;
}

/**
 * What a target must report when it runs `release`: the digest of its component, for several that of all of them together
 * (`combinedDigest`). Null when the release lacks some of them.
 */
export function promisedDigestOf(
  target: TargetDefinition,
  release: Pick<Release, 'components'> | null | undefined,
): Digest | null {
  const parts = partsFor(target, release);
  return parts && combinedDigest(parts);
}

/** Of one: its own. Of several: that of the canonical JSON `{"api":"sha256:…","worker":"sha256:…"}`. */
export function combinedDigest(parts: readonly { readonly name: string; readonly digest: Digest }[]): Digest {
  const [first] = parts;
  if (first && parts.length === 1) return first.digest;
  return digestOf(canonicalJson(Object.fromEntries(parts.map(({ name, digest }) => [name, digest]))));
}
