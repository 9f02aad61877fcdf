/**
 * The promised artifact on the engine: used when it is there already, so that a former release comes back also without
 * its registry; else pulled by its digest, and what came is compared with what the registry tells us ourselves.
 */
import { AppError, type Digest, formatSource, type ReleaseComponent } from '@stella/domain';
import type { DockerEngine, EngineImage } from '../../ports/docker-engine.ts';
import type { TargetDeps } from '../target-deps.ts';
import { toEngineError, toPullError } from './engine-errors.ts';

export type ImageDeps = Pick<TargetDeps, 'registry' | 'loginOf' | 'pickManifestFor'>;

export interface ReadyImage {
  /** `registry/repository@sha256:…`, by which a container is created. */
  readonly reference: string;
  readonly image: EngineImage;
  /** For the trace: where it came from, and which manifest of an index. */
  readonly words: string;
}

export async function ensureImage(
  engine: DockerEngine,
  deps: ImageDeps,
  { target, component }: { readonly target: string; readonly component: ReleaseComponent },
  signal: AbortSignal,
): Promise<ReadyImage> {
  const { source, digest } = component;
  if (source.kind !== 'registry') {
    throw new AppError('target.source_unfit', { details: { target, source: formatSource(source) } });
  }
  const repository = `${source.registry}/${source.repository}`;
  const reference = `${repository}@${digest}`;
  const find = (): Promise<EngineImage | null> => engine.findImage(reference);
  const there = await find().catch(rethrow(target));
  if (there) return { reference, image: there, words: `${digest} is on the engine` };
  await pullByDigest(engine, deps, { target, repository, digest, registry: source.registry });
  const image = await find().catch(rethrow(target));
  if (!image)
    throw new AppError('target.engine_refused', {
      details: { target, message: `${reference} was pulled, and is not there` },
    });
  const manifest = await compare(engine, deps, { component, image, repository }, signal);
  return { reference, image, words: manifest === digest ? `pulled ${digest}` : `pulled ${digest}, of it ${manifest}` };
}

/** With the login of its registry, which goes to the engine and nowhere else. The engine checks every byte. */
export async function pullByDigest(
  engine: DockerEngine,
  { loginOf }: Pick<ImageDeps, 'loginOf'>,
  wish: Readonly<Record<'target' | 'repository' | 'digest' | 'registry', string>>,
): Promise<void> {
  const login = await loginOf(wish.registry);
  try {
    await engine.pull(wish.repository, wish.digest, login);
  } catch (error) {
    throw toPullError(error, wish);
  }
}

/** The manifest that the engine took. Throws `registry.digest_mismatch` when the image is of another one. */
async function compare(
  engine: DockerEngine,
  { registry, pickManifestFor }: ImageDeps,
  {
    component,
    image,
    repository,
  }: { readonly component: ReleaseComponent; readonly image: EngineImage; readonly repository: string },
  signal: AbortSignal,
): Promise<Digest> {
  const { source, digest } = component;
  const top = await registry.readDocument(source, digest, signal);
  const manifestDigest = top.kind === 'index' ? pickManifestFor(top, await engine.facts(), repository).digest : digest;
  const manifest = top.kind === 'index' ? await registry.readDocument(source, manifestDigest, signal) : top;
  const config = manifest.kind === 'manifest' ? manifest.config.digest : null;
  // An engine names an image by its configuration, its manifest or its index: that depends on its store.
  const isSame = [config, manifestDigest, digest].some((one) => one === image.id);
  if (!isSame)
    throw new AppError('registry.digest_mismatch', { details: { repository, expected: digest, actual: image.id } });
  return manifestDigest;
}

function rethrow(target: string): (error: unknown) => never {
  return (error) => {
    throw toEngineError(error, target);
  };
}

/**
 * Which artifact an image is of, by the digests under which its bytes came and not by what a label claims: that one of
 * them which was promised, when it is among them. Null for an image that came from no registry.
 */
export function digestOfImage(
  { repoDigests }: Pick<EngineImage, 'repoDigests'>,
  promised: string | null,
): Digest | null {
  const digests = repoDigests.flatMap((one) => /@(sha256:[0-9a-f]{64})$/.exec(one)?.[1] ?? []);
  const [first] = digests;
  const found = promised !== null && digests.includes(promised) ? promised : first;
  // The pattern is that of a digest.
  return found === undefined ? null : (found as Digest);
}
