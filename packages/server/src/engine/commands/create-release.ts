/** `release create`: every tag is resolved once, before the transaction; what was resolved never changes (safety S10). */
import {
  type ArtifactReference,
  authorize,
  formatArtifact,
  type Principal,
  type Release,
  type ReleaseComponent,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import type { Registry } from '../../ports/registry.ts';

export interface WantedComponent {
  readonly name: string;
  readonly reference: ArtifactReference;
}

/** All at once; the first that cannot be resolved is thrown. Nothing is written. */
export function resolveComponents(
  registry: Registry,
  wanted: readonly WantedComponent[],
  signal: AbortSignal,
): Promise<readonly ReleaseComponent[]> {
  return Promise.all(
    wanted.map(async ({ name, reference }) => {
      const { source, digest, mediaType } = await registry.resolve(reference, signal);
      // The document is read too: a release whose artifact is refused later would be of no use to anybody.
      await registry.readDocument(source, digest, signal);
      return { name, source, digest, mediaType, tag: reference.tag };
    }),
  );
}

export interface NewRelease {
  readonly name: string;
  readonly components: readonly ReleaseComponent[];
}

/** Errors: `auth.forbidden`, `release.name_taken`. */
export function createRelease(tx: CommandTransaction, principal: Principal, wanted: NewRelease): Promise<Release> {
  authorize(principal, 'release.create', { environment: null, name: `release ${wanted.name}` });
  return recordRelease(tx, principal, wanted);
}

/** For whoever has another right to make it. Errors: `release.name_taken`. */
export async function recordRelease(
  tx: CommandTransaction,
  { actor }: Principal,
  wanted: NewRelease,
): Promise<Release> {
  const release = await tx.insertRelease(wanted, actor);
  const { id: subject, name, number } = release;
  const components = Object.fromEntries(
    release.components.map((one) => [one.name, formatArtifact(one.source, one.digest)]),
  );
  const data = { name, number, components };
  await tx.writeEvents([{ type: 'release.created', actor, atMs: tx.nowMs, promotionId: null, subject, data }]);
  return release;
}
