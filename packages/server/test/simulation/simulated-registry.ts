/** A registry that can be away, lose an artifact, move a tag, or hand out bytes that hash to something else. */
import { AppError, type ArtifactSource, type Digest, digestOf, formatSource } from '@stella/domain';
import type { ArtifactDocument, Registry } from '../../src/ports/registry.ts';
import type { FaultMix } from './fault-mix.ts';
import type { Journal } from './journal.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedProcess } from './simulated-process.ts';

const FAULTS = ['unreachable', 'missing', 'wrong_bytes', 'hang'] as const;

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

export interface RegistryWorld {
  readonly scheduler: Scheduler;
  readonly mix: FaultMix;
  readonly journal: Journal;
  /** What a tag names now, by `source:tag`; changed when a tag is moved. */
  readonly tags: Map<string, Digest>;
  isFaulty: () => boolean;
}

/** The content behind the n-th push to a tag. */
export function pushTag({ tags }: Pick<RegistryWorld, 'tags'>, source: ArtifactSource, tag: string, n: number): Digest {
  const digest = digestOf(`${formatSource(source)}:${tag} as pushed for the ${n}th time`);
  tags.set(`${formatSource(source)}:${tag}`, digest);
  return digest;
}

export function makeRegistryClient(world: RegistryWorld, process: SimulatedProcess): Registry {
  return {
    resolve: ({ source, tag, digest }, signal) =>
      call(world, process, signal, () => {
        const found = digest ?? world.tags.get(`${formatSource(source)}:${tag ?? ''}`);
        if (!found) throw new AppError('registry.tag_not_found', { details: { tag: tag ?? '' } });
        return { source, digest: found, mediaType: MANIFEST };
      }),
    readDocument: (_source, digest, signal) =>
      call(
        world,
        process,
        signal,
        (): ArtifactDocument => ({
          kind: 'manifest',
          digest,
          mediaType: MANIFEST,
          config: { mediaType: 'application/vnd.oci.empty.v1+json', digest, sizeBytes: 2 },
          layers: [],
        }),
      ),
    readBlob: () => {
      throw new AppError('registry.unreachable', { details: { message: 'targets of a simulation read no bytes' } });
    },
  };
}

function call<T>(
  world: RegistryWorld,
  process: SimulatedProcess,
  signal: AbortSignal | undefined,
  answer: () => T,
): Promise<T> {
  const { random } = world.scheduler;
  const fault = world.isFaulty() && random.chance(world.mix.registry) ? random.pick(FAULTS) : null;
  if (fault) world.journal.fault(`registry.${fault}`);
  return new Promise((resolve, reject) => {
    const unreachable = (message: string): void =>
      reject(new AppError('registry.unreachable', { details: { message } }));
    signal?.addEventListener('abort', () => unreachable('aborted'), { once: true });
    if (fault === 'hang') return;
    process.enterAfter(random.between(1, 400), () => {
      if (fault === 'unreachable') unreachable('connection refused');
      else if (fault === 'missing') reject(new AppError('registry.artifact_missing', { details: { artifact: '' } }));
      else if (fault === 'wrong_bytes') reject(new AppError('registry.digest_mismatch', { details: {} }));
      else settle(answer, resolve, reject);
    });
  });
}

function settle<T>(answer: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): void {
  try {
    resolve(answer());
  } catch (error) {
    reject(error);
  }
}
