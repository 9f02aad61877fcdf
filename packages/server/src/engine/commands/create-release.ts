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

/** Errors: `auth.forbidden`, `release.name_taken`. */
export async function createRelease(
  tx: CommandTransaction,
  principal: Principal,
  { name, components }: { name: string; components: readonly ReleaseComponent[] },
): Promise<Release> {
  authorize(principal, 'release.create', { environment: null, name: `release ${name}` });
  const release = await tx.insertRelease({ name, components }, principal.actor);
  await tx.writeEvents([
    {
      type: 'release.created',
      actor: principal.actor,
      atMs: tx.nowMs,
      promotionId: null,
      subject: release.id,
      data: {
        name,
        number: release.number,
        components: Object.fromEntries(
          release.components.map((one) => [one.name, formatArtifact(one.source, one.digest)]),
        ),
      },
    },
  ]);
  return release;
}
