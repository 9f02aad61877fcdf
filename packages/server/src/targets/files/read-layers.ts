/** The layers of a component's artifact, also behind an index. */
import { AppError, type Digest, formatSource, type ReleaseComponent } from '@stella/domain';
import type { Descriptor } from '../../ports/registry.ts';
import type { CallScope } from '../call-scope.ts';
import type { PickManifest, TargetDeps } from '../target-deps.ts';

export interface Layers {
  readonly layers: readonly Descriptor[];
  /** The one that an index has for the machine; null when the artifact is itself a manifest. */
  readonly manifest: Digest | null;
}

/** `pick` knows the machine that they are for. Throws the registry's errors. */
export async function readLayers(
  { registry }: Pick<TargetDeps, 'registry'>,
  { source, digest }: ReleaseComponent,
  pick: PickManifest,
  scope: CallScope,
): Promise<Layers> {
  const document = await registry.readDocument(source, digest, scope.signal);
  if (document.kind === 'manifest') return { layers: document.layers, manifest: null };
  const picked = pick(document, formatSource(source));
  const manifest = await registry.readDocument(source, picked.digest, scope.signal);
  if (manifest.kind === 'manifest') return { layers: manifest.layers, manifest: picked.digest };
  const details = { digest, repository: formatSource(source), message: 'its manifest is an index again' };
  throw new AppError('registry.bad_manifest', { details });
}

/** For people: what was unpacked. */
export function unpackedWords(fileCount: number, { layers, manifest }: Layers): string {
  const picked = manifest ? `, of the index's manifest ${manifest}` : '';
  return `${fileCount} files of ${layers.length} layers${picked}`;
}
