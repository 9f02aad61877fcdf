/**
 * The `Registry` port over all places that artifacts come from. Owns the order of trust: bytes are fetched, hashed,
 * compared, and only then parsed; a header or a descriptor may speak against bytes, never for them.
 */
import { AppError, type ArtifactSource, type Digest, formatArtifactReference, formatSource } from '@stella/domain';
import type { ArtifactDocument, Registry } from '../ports/registry.ts';
import type { ByteSource, FetchedDocument } from './byte-source.ts';
import { parseDocument } from './manifest.ts';
import { type LayoutDeps, openLayout } from './oci-layout.ts';
import { openRepository } from './oci-registry.ts';
import { openRegistrySession, type RegistrySession, type SessionDeps } from './registry-session.ts';
import { hashBytes, mismatch, verifyStream } from './verified-bytes.ts';

/** One layer; a promise of more is a mistake, or an attack on a target's disk. */
export const BLOB_BYTES_MAX = 8 * 1_024 ** 3;

export interface RegistryDeps extends LayoutDeps, SessionDeps {
  readonly clock: LayoutDeps['clock'];
}

/** Where bytes come from: layouts by the machine, repositories by one session for all callers. */
interface Places {
  readonly layouts: LayoutDeps;
  readonly session: RegistrySession;
}

/**
 * Keeps what registries granted, and nothing else: one serves all callers at once. Errors as the port says, and
 * `registry.directory_forbidden`.
 */
export function makeRegistry(given: RegistryDeps): Registry {
  const deps: Places = { layouts: given, session: openRegistrySession(given) };
  return {
    async resolve(reference, signal) {
      const { source, tag, digest } = reference;
      if (digest !== null) {
        const document = await readVerified(deps, source, digest, signal);
        return { source, digest, mediaType: document.mediaType };
      }
      if (tag === null) throw nothingNamed(formatArtifactReference(reference));
      const fetched = await openSource(deps, source).readTag(tag, signal);
      const actual = hashBytes(fetched.bytes);
      const document = check(fetched, { source, expected: fetched.claimedDigest ?? actual, actual });
      return { source, digest: actual, mediaType: document.mediaType };
    },
    readDocument: (source, digest, signal) => readVerified(deps, source, digest, signal),
    async *readBlob(source, descriptor, signal) {
      const repository = formatSource(source);
      if (descriptor.sizeBytes > BLOB_BYTES_MAX) {
        const details = { what: `the content ${descriptor.digest}`, repository, bytesMax: BLOB_BYTES_MAX };
        throw new AppError('registry.limit', { details });
      }
      yield* verifyStream(openSource(deps, source).readBlob(descriptor, signal), descriptor, repository);
    },
  };
}

function openSource({ layouts, session }: Places, source: ArtifactSource): ByteSource {
  return source.kind === 'registry' ? openRepository(source, session) : openLayout(source.directory, layouts);
}

async function readVerified(
  deps: Places,
  source: ArtifactSource,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<ArtifactDocument> {
  const fetched = await openSource(deps, source).readDocument(digest, signal);
  return check(fetched, { source, expected: digest, actual: hashBytes(fetched.bytes) });
}

function check(
  { bytes, mediaType }: FetchedDocument,
  { source, expected, actual }: { source: ArtifactSource; expected: Digest; actual: Digest },
): ArtifactDocument {
  const repository = formatSource(source);
  if (actual !== expected) throw mismatch(repository, expected, actual);
  return parseDocument(bytes, { digest: actual, repository, headerMediaType: mediaType });
}

function nothingNamed(value: string): AppError {
  return new AppError('registry.reference', { details: { value, message: 'it names neither a tag nor a digest' } });
}
