/** A release: an immutable set of components, each bound to the digest of one OCI manifest or index. */
import type { Digest } from '../values/digest.ts';
import type { ReleaseId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';

/** Where an artifact's bytes are: a repository of an OCI registry, or an OCI image layout on the server's disk. */
export type ArtifactSource =
  | {
      readonly kind: 'registry' /** `host:port` */;
      readonly registry: string /** `shop/web` */;
      readonly repository: string;
    }
  | { readonly kind: 'oci-layout' /** Absolute path. */; readonly directory: string };

/** An artifact as a person writes it: a source and the tag or digest in it. */
export interface ArtifactReference {
  readonly source: ArtifactSource;
  readonly tag: string | null;
  readonly digest: Digest | null;
}

/** One resolved component of a release. */
export interface ReleaseComponent {
  readonly name: string;
  readonly source: ArtifactSource;
  readonly digest: Digest;
  /** Of the manifest or index with that digest. */
  readonly mediaType: string;
  /** The tag that was resolved, for people; never read again. */
  readonly tag: string | null;
}

export interface Release {
  readonly id: ReleaseId;
  /** Unique, for people: `shop-2.4.1`. */
  readonly name: string;
  /** Sorted by name, at least one. */
  readonly components: readonly ReleaseComponent[];
  readonly createdAtMs: InstantMs;
  /** Order of making, 1, 2, 3 …: "newer" means a higher number. */
  readonly number: number;
}

/** `registry/repository@sha256:…` or `oci-layout:/dir@sha256:…`: the artifact's full, immutable name. */
export function formatArtifact(source: ArtifactSource, digest: Digest): string {
  return `${formatSource(source)}@${digest}`;
}

/** `registry.example:5000/shop/web` or `oci-layout:/srv/layouts/web`. */
export function formatSource(source: ArtifactSource): string {
  return source.kind === 'registry' ? `${source.registry}/${source.repository}` : `oci-layout:${source.directory}`;
}
