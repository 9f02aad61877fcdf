/** Where artifacts come from. Implementations: OCI registry over HTTP, OCI image layout on disk; one contract suite. */
import type { ArtifactReference, ArtifactSource, Digest } from '@stella/domain';

/** OCI image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

export interface ResolvedArtifact {
  readonly source: ArtifactSource;
  /** Of the manifest or index that the tag names; an index keeps the index digest. */
  readonly digest: Digest;
  readonly mediaType: string;
}

/** A manifest or an index whose bytes hash to the digest that was asked for. */
export type ArtifactDocument =
  | {
      readonly kind: 'manifest';
      readonly digest: Digest;
      readonly mediaType: string;
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    }
  | {
      readonly kind: 'index';
      readonly digest: Digest;
      readonly mediaType: string;
      readonly manifests: readonly Descriptor[];
    };

/**
 * Every byte is hashed by us and compared before it is believed. Errors: `registry.unreachable`,
 * `registry.tag_not_found`, `registry.artifact_missing`, `registry.digest_mismatch`, `registry.bad_manifest`,
 * `registry.credentials`, `registry.tls`, `registry.denied`, `registry.limit`, `registry.directory_forbidden`; an aborted signal ends a call with
 * `registry.unreachable`. All calls are idempotent.
 */
export interface Registry {
  /** Reads a tag once, or checks that a digest is there. */
  resolve(reference: ArtifactReference, signal?: AbortSignal): Promise<ResolvedArtifact>;
  readDocument(source: ArtifactSource, digest: Digest, signal?: AbortSignal): Promise<ArtifactDocument>;
  /** The blob's bytes; throws `registry.digest_mismatch` before the last chunk is handed out when they do not hash to the digest. */
  readBlob(source: ArtifactSource, descriptor: Descriptor, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}
