/**
 * Bytes → manifest or index, or a refusal. Pure. What it guarantees: the document is of one kind only, says the same as
 * its header, names every part by a sha256 digest and a size, and stays within limits; so no two readers of the same
 * bytes can see two different artifacts (OCI image-spec, manifest.md and image-index.md; CVE-2021-41190).
 */
import { AppError, type Digest, isDigest, parseStrictJson } from '@stella/domain';
import type { ArtifactDocument, Descriptor } from '../ports/registry.ts';

/** Registries need not take more than 4 MiB (distribution-spec, "Pushing Manifests"). */
export const DOCUMENT_BYTES_MAX = 4 * 1_024 * 1_024;
/** Layers of one manifest; container engines mount no more than 127. */
export const LAYERS_MAX = 127;
/** Manifests of one index; there are some dozens of platforms, each perhaps with an attestation. */
export const MANIFESTS_MAX = 256;
/** Characters of a media type: two names of at most 127 (RFC 6838, section 4.2). */
const MEDIA_TYPE_LENGTH_MAX = 255;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';

type DocumentKind = ArtifactDocument['kind'];
const KIND_BY_MEDIA_TYPE: ReadonlyMap<string, DocumentKind> = new Map([
  [OCI_MANIFEST, 'manifest'],
  [DOCKER_MANIFEST, 'manifest'],
  [OCI_INDEX, 'index'],
  [DOCKER_INDEX, 'index'],
]);
/** In the order in which a registry may prefer one; for the `Accept` header. */
export const DOCUMENT_MEDIA_TYPES: readonly string[] = [...KIND_BY_MEDIA_TYPE.keys()];

/** Fields that only one kind has; their presence in the other makes a document ambiguous. */
const OWN_FIELDS = { manifest: ['config', 'layers'], index: ['manifests'] } as const;
/** Of Docker's first schema, which is not content-addressed. */
const FIRST_SCHEMA_FIELDS = ['fsLayers', 'history', 'signatures'];
/** Every field that is read here or by container engines to find content, by its folded name. */
const FIELDS = new Map(
  ['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'digest', 'size', 'platform', 'os', 'architecture']
    .concat(['variant', 'fsLayers'])
    .map((field) => [folded(field), field]),
);

/** True for the media types of manifests and indexes that `parseDocument` takes. */
export function isDocumentMediaType(mediaType: string): boolean {
  return KIND_BY_MEDIA_TYPE.has(mediaType);
}

/**
 * `headerMediaType` is what came with the bytes: a `Content-Type` (its parameters are ignored) or the media type of the
 * descriptor that led here; null when nothing came. `repository` is named in errors. The bytes must have been compared
 * with `digest` by the caller. Throws `registry.bad_manifest`, `registry.limit`.
 */
export function parseDocument(
  bytes: Uint8Array,
  { digest, repository, headerMediaType }: { digest: Digest; repository: string; headerMediaType: string | null },
): ArtifactDocument {
  if (bytes.byteLength > DOCUMENT_BYTES_MAX) throw documentTooLarge(digest, repository);
  const refuse: Refuse = (message) =>
    new AppError('registry.bad_manifest', { details: { digest, repository, message } });
  const body = parseStrictJson(bytes, refuse);
  if (!isRecord(body)) throw refuse('it is not a JSON object');
  refuseMisspelt(body, refuse);
  if (body['schemaVersion'] !== 2) throw refuse('schemaVersion is not 2');
  const { mediaType, kind } = decideMediaType(body, headerMediaType, refuse);
  refuseForeignFields(body, kind, refuse);
  if (kind === 'index') {
    const manifests = parseDescriptors(body['manifests'], { field: 'manifests', countMax: MANIFESTS_MAX }, refuse);
    return { kind, digest, mediaType, manifests };
  }
  const config = parseDescriptor(body['config'], 'config', refuse);
  const layers = parseDescriptors(body['layers'], { field: 'layers', countMax: LAYERS_MAX }, refuse);
  return { kind, digest, mediaType, config, layers };
}

/** The error for a document of more than `DOCUMENT_BYTES_MAX`. */
export function documentTooLarge(what: string, repository: string, cause?: unknown): AppError {
  const details = { what: `the manifest ${what}`, repository, bytesMax: DOCUMENT_BYTES_MAX };
  return new AppError('registry.limit', { details, cause });
}

export type Refuse = (message: string) => AppError;

type JsonRecord = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Body and header must agree. A body without a media type is told by its header, and without that by its fields: Docker's
 * documents always say their type, so a silent one is OCI's.
 */
function decideMediaType(
  body: JsonRecord,
  headerMediaType: string | null,
  refuse: Refuse,
): { mediaType: string; kind: DocumentKind } {
  const header = headerMediaType === null ? null : (headerMediaType.split(';')[0] ?? '').trim().toLowerCase();
  const own = body['mediaType'];
  if (own !== undefined && typeof own !== 'string') throw refuse('its mediaType is not text');
  if (own !== undefined && header !== null && own !== header) {
    throw refuse(`it says that it is "${shown(own)}", but it was handed over as "${shown(header)}"`);
  }
  const fromFields = body['manifests'] === undefined ? OCI_MANIFEST : OCI_INDEX;
  const mediaType = own ?? header ?? fromFields;
  const kind = KIND_BY_MEDIA_TYPE.get(mediaType);
  if (kind === undefined) throw refuse(`the media type "${shown(mediaType)}" is not one of a manifest or an index`);
  return { mediaType, kind };
}

function refuseForeignFields(body: JsonRecord, kind: DocumentKind, refuse: Refuse): void {
  const other = kind === 'manifest' ? 'index' : 'manifest';
  const foreign = [...OWN_FIELDS[other], ...FIRST_SCHEMA_FIELDS].find((field) => body[field] !== undefined);
  if (foreign !== undefined) throw refuse(`it is ambiguous: ${kind} by its media type, but with "${foreign}"`);
}

function parseDescriptors(
  value: unknown,
  { field, countMax }: { field: string; countMax: number },
  refuse: Refuse,
): readonly Descriptor[] {
  if (!Array.isArray(value)) throw refuse(`"${field}" is not a list`);
  if (value.length > countMax) throw refuse(`"${field}" has ${value.length} entries; at most ${countMax} are taken`);
  return value.map((one, index) => parseDescriptor(one, `${field}[${index}]`, refuse));
}

/** One OCI descriptor (image-spec, descriptor.md); `where` is named in errors. `urls` and `data` are never used. */
export function parseDescriptor(value: unknown, where: string, refuse: Refuse): Descriptor {
  if (!isRecord(value)) throw refuse(`"${where}" is not an object`);
  refuseMisspelt(value, refuse);
  const { mediaType, digest, size, platform } = value;
  if (typeof mediaType !== 'string' || mediaType.length > MEDIA_TYPE_LENGTH_MAX || !MEDIA_TYPE.test(mediaType)) {
    throw refuse(`"${where}" has no valid mediaType`);
  }
  if (!isDigest(digest)) throw refuse(`"${where}" has no digest of the form sha256:<64 lowercase hex digits>`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw refuse(`"${where}" has no valid size`);
  const descriptor = { mediaType, digest, sizeBytes: size };
  if (platform === undefined || platform === null) return descriptor;
  return { ...descriptor, platform: parsePlatform(platform, where, refuse) };
}

function parsePlatform(value: unknown, where: string, refuse: Refuse): NonNullable<Descriptor['platform']> {
  if (!isRecord(value)) throw refuse(`the platform of "${where}" is not an object`);
  refuseMisspelt(value, refuse);
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') {
    throw refuse(`the platform of "${where}" does not name os and architecture`);
  }
  if (variant === undefined || variant === '') return { os, architecture };
  if (typeof variant !== 'string') throw refuse(`the variant of "${where}" is not text`);
  return { os, architecture, variant };
}

/**
 * Go programs, so every container engine, take `Layers` for `layers`; we do not. A document that uses the difference
 * would show each reader another artifact.
 */
function refuseMisspelt(value: JsonRecord, refuse: Refuse): void {
  for (const key of Object.keys(value)) {
    const field = FIELDS.get(folded(key));
    if (field !== undefined && field !== key) throw refuse(`it has "${shown(key)}" where only "${field}" is allowed`);
  }
}

/** Without regard to case, as Go's `encoding/json` compares: also U+017F with "s" and U+212A with "k". */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}

/** Foreign text for a message: short and printable. */
function shown(text: string): string {
  return text.slice(0, 100).replace(/[^\x20-\x7e]/g, '?');
}
