/**
 * Builds OCI image layouts (image-spec, image-layout.md) from files in memory: for tests, and for the demo's releases.
 * The same input gives the same bytes, so the same digests, on every machine: entries are sorted, times are zero, and
 * layers are gzip streams of stored blocks, because compressed output differs between builds of zlib.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { type Digest, parseDigest } from '@stella/domain';
import { pack } from 'tar-stream';

/** One entry of a layer's tar archive; names and links are taken as they are, so that tests can write hostile ones. */
export interface TarEntry {
  /** `www/index.html`; a whiteout is a file `www/.wh.old.html`. */
  readonly path: string;
  /** Default `file`. */
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo';
  /** Of a file; default empty. Text is UTF-8. */
  readonly content?: Uint8Array | string;
  /** Of a symlink or a hard link. */
  readonly linkTarget?: string;
  /** Default 0644, for directories 0755. */
  readonly mode?: number;
}

export interface OciPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface OciImage {
  readonly tag: string;
  /** Path → content: the first layer, with the directories above each file. `{}` makes none. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Further layers over the first, entries in the given order. */
  readonly layers?: readonly (readonly TarEntry[])[];
  /** Default `oci`. With `docker` other tools do not see the tag, since OCI layouts are for OCI's types; registries take it. */
  readonly mediaTypes?: 'oci' | 'docker';
  /** When given, the tag names an index with one manifest for each; else a single manifest, for linux/amd64. */
  readonly platforms?: readonly OciPlatform[];
  /** What a container engine runs. */
  readonly command?: readonly string[];
  /** Test and timing of a health check, as image configurations hold them; Docker reads it, OCI has no word for it. */
  readonly healthCheck?: { readonly test: readonly string[]; readonly intervalMs: number; readonly retries: number };
  /** True compresses the layers; digests are then the same only for one build of Node. */
  readonly isCompressed?: boolean;
}

export interface WrittenManifest {
  readonly digest: Digest;
  readonly platform: OciPlatform;
  readonly config: Digest;
  readonly layers: readonly Digest[];
}

export interface WrittenImage {
  readonly tag: string;
  /** Of what the tag names: the index when there is one. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly manifests: readonly WrittenManifest[];
}

interface DescriptorJson {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: OciPlatform;
  readonly annotations?: Readonly<Record<string, string>>;
}

const MEDIA_TYPES = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;
const REF_NAME = 'org.opencontainers.image.ref.name';
const DEFAULT_PLATFORM: OciPlatform = { os: 'linux', architecture: 'amd64' };
const EPOCH = '1970-01-01T00:00:00Z';

/**
 * Writes the images into `directory`, which is made when it is not there; answers one entry for each, in order. A layout
 * that is there keeps its other tags; a tag that is there is moved. Not for two writers of one directory at once.
 *
 * Example: `await writeOciLayout('/tmp/web', [{ tag: '1.0.0', files: { 'www/index.html': '<h1>1</h1>' } }])`.
 */
export async function writeOciLayout(directory: string, images: readonly OciImage[]): Promise<readonly WrittenImage[]> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const written: WrittenImage[] = [];
  for (const image of images) written.push(await writeImage(directory, image));
  await addTags(directory, written);
  return written;
}

/** The bytes of one blob of a layout. */
export function readLayoutBlob(directory: string, digest: Digest): Promise<Buffer> {
  return readFile(layoutBlobPath(directory, digest));
}

export function layoutBlobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs', 'sha256', digest.slice('sha256:'.length));
}

/** Entries → an uncompressed tar archive, in the given order. */
export async function makeTar(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { path, type = 'file', content = '', linkTarget, mode } of entries) {
    const header = {
      name: path,
      type,
      mode: mode ?? (type === 'directory' ? 0o755 : 0o644),
      mtime: new Date(0),
      uid: 0,
      gid: 0,
      ...(linkTarget === undefined ? {} : { linkname: linkTarget }),
      ...(type.endsWith('-device') ? { devmajor: 1, devminor: 3 } : {}),
    };
    if (type === 'file') archive.entry(header, Buffer.from(content));
    else archive.entry(header);
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  // Its type extends Node's stream, whose iterator is untyped; it gives buffers only.
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Longest stored block of deflate (RFC 1951, section 3.2.4). */
const STORED_BYTES_MAX = 65_535;

/** A gzip stream that stores its bytes without compression: larger, but always the same (RFC 1952). */
export function gzipStored(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])];
  for (let start = 0; start === 0 || start < bytes.byteLength; start += STORED_BYTES_MAX) {
    const block = bytes.subarray(start, start + STORED_BYTES_MAX);
    const header = Buffer.alloc(5);
    header.writeUInt8(start + STORED_BYTES_MAX >= bytes.byteLength ? 1 : 0, 0);
    header.writeUInt16LE(block.byteLength, 1);
    header.writeUInt16LE(block.byteLength ^ 0xffff, 3);
    parts.push(header, block);
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(bytes), 0);
  trailer.writeUInt32LE(bytes.byteLength % 2 ** 32, 4);
  return Buffer.concat([...parts, trailer]);
}

async function writeImage(directory: string, image: OciImage): Promise<WrittenImage> {
  const types = MEDIA_TYPES[image.mediaTypes ?? 'oci'];
  const ownLayer = Object.keys(image.files).length === 0 ? [] : [fileEntries(image.files)];
  const tars = await Promise.all([...ownLayer, ...(image.layers ?? [])].map(makeTar));
  const layers: DescriptorJson[] = [];
  for (const tar of tars) {
    const bytes = image.isCompressed ? gzipSync(tar) : gzipStored(tar);
    layers.push(await writeBlob(directory, bytes, types.layer));
  }
  const platforms = image.platforms ?? [DEFAULT_PLATFORM];
  const manifests: { descriptor: DescriptorJson; written: WrittenManifest }[] = [];
  for (const platform of platforms) {
    const config = await writeBlob(directory, toJson(configOf(image, platform, tars)), types.config);
    const body = { schemaVersion: 2, mediaType: types.manifest, config, layers };
    const descriptor = await writeBlob(directory, toJson(body), types.manifest);
    const layerDigests = layers.map((layer) => layer.digest);
    const written = { digest: descriptor.digest, platform, config: config.digest, layers: layerDigests };
    manifests.push({ descriptor: { ...descriptor, platform }, written });
  }
  const top = image.platforms
    ? await writeIndex(
        directory,
        manifests.map(({ descriptor }) => descriptor),
        types.index,
      )
    : manifests[0]?.descriptor;
  if (!top) throw new RangeError(`the image "${image.tag}" has no platform`);
  const { digest, mediaType, size: sizeBytes } = top;
  return { tag: image.tag, digest, mediaType, sizeBytes, manifests: manifests.map(({ written }) => written) };
}

function writeIndex(
  directory: string,
  manifests: readonly DescriptorJson[],
  mediaType: string,
): Promise<DescriptorJson> {
  return writeBlob(directory, toJson({ schemaVersion: 2, mediaType, manifests }), mediaType);
}

/** Image-spec, config.md. */
function configOf(image: OciImage, { os, architecture, variant }: OciPlatform, tars: readonly Buffer[]): unknown {
  return {
    created: EPOCH,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    config: {
      ...(image.command && { Cmd: image.command }),
      ...(image.healthCheck && { Healthcheck: healthOf(image.healthCheck) }),
    },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOfBytes(tar)) },
    history: tars.map((_tar, index) => ({ created: EPOCH, created_by: `layer ${index + 1}` })),
  };
}

const NANOSECONDS_PER_MS = 1_000_000;

function healthOf({ test, intervalMs, retries }: NonNullable<OciImage['healthCheck']>): unknown {
  return { Test: test, Interval: intervalMs * NANOSECONDS_PER_MS, Retries: retries };
}

/** The files and the directories above them, sorted, each directory before what it holds. */
function fileEntries(files: OciImage['files']): readonly TarEntry[] {
  const directories = new Set<string>();
  for (const path of Object.keys(files)) {
    const segments = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= segments.length; depth += 1) directories.add(`${segments.slice(0, depth).join('/')}/`);
  }
  const entries: TarEntry[] = [...directories].map((path) => ({ path, type: 'directory' }));
  for (const [path, content] of Object.entries(files)) entries.push({ path, content });
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function toJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

async function writeBlob(directory: string, bytes: Uint8Array, mediaType: string): Promise<DescriptorJson> {
  const digest = digestOfBytes(bytes);
  await writeFile(layoutBlobPath(directory, digest), bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

function digestOfBytes(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

async function addTags(directory: string, images: readonly WrittenImage[]): Promise<void> {
  const file = join(directory, 'index.json');
  const before = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  // Only layouts of this builder's own making are extended, so their shape is known.
  const old = before === null ? [] : (JSON.parse(before) as { manifests: readonly DescriptorJson[] }).manifests;
  const byTag = new Map(old.map((entry) => [entry.annotations?.[REF_NAME] ?? entry.digest, entry]));
  for (const { tag, digest, mediaType, sizeBytes } of images) {
    byTag.set(tag, { mediaType, digest, size: sizeBytes, annotations: { [REF_NAME]: tag } });
  }
  const body = { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests: [...byTag.values()] };
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(body));
  await rename(draft, file);
}
