/** Which manifest of an index a target gets. Pure. */
import { AppError } from '@stella/domain';
import type { ArtifactDocument, Descriptor } from '../ports/registry.ts';
import { DOCKER_MANIFEST, OCI_MANIFEST } from './manifest.ts';

export type IndexDocument = Extract<ArtifactDocument, { kind: 'index' }>;

/** As OCI names it: `linux`, `arm64`, `v8`. */
export interface WantedPlatform {
  readonly os: string;
  readonly architecture: string;
  /** Undefined takes any variant. */
  readonly variant?: string;
}

/** Node's names of architectures → OCI's, where they differ (Go's GOARCH values). */
const OCI_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  mipsel: 'mipsle',
  ppc64: 'ppc64le',
};
/** Platforms that an error lists. */
const SHOWN_PLATFORMS_MAX = 10;

/** `process.arch` of a machine that runs Linux → the platform of its manifests; `x64` → linux/amd64. */
export function linuxPlatform(nodeArchitecture: string): WantedPlatform {
  return { os: 'linux', architecture: OCI_ARCHITECTURES[nodeArchitecture] ?? nodeArchitecture };
}

/**
 * The first manifest that fits, as the image-spec says for several (image-index.md, `manifests`). An index with a single
 * manifest that names no platform is taken to hold plain files, which fit everywhere. Nested indexes and attestations
 * (`unknown/unknown`) never fit. `repository` is named in errors. Throws `registry.bad_manifest`.
 */
export function pickManifest(index: IndexDocument, wanted: WantedPlatform, repository: string): Descriptor {
  const manifests = index.manifests.filter(
    (one) => one.mediaType === OCI_MANIFEST || one.mediaType === DOCKER_MANIFEST,
  );
  const fitting = manifests.find((one) => fits(one, wanted));
  if (fitting) return fitting;
  const [only] = manifests;
  if (only && manifests.length === 1 && only.platform === undefined) return only;
  const there = manifests
    .slice(0, SHOWN_PLATFORMS_MAX)
    .map(({ platform }) => (platform ? formatPlatform(platform) : 'none'));
  const message = `it has no manifest for ${formatPlatform(wanted)}; it has: ${there.join(', ') || 'no manifests'}`;
  throw new AppError('registry.bad_manifest', {
    details: { digest: index.digest, repository, message },
    hint: 'build the artifact for that platform too',
  });
}

function fits({ platform }: Descriptor, { os, architecture, variant }: WantedPlatform): boolean {
  if (platform === undefined || platform.os !== os || platform.architecture !== architecture) return false;
  return variant === undefined || platform.variant === undefined || platform.variant === variant;
}

function formatPlatform({ os, architecture, variant }: WantedPlatform): string {
  const text = [os, architecture, variant].filter((part) => part !== undefined).join('/');
  return text.slice(0, 60).replace(/[^\x20-\x7e]/g, '?');
}
