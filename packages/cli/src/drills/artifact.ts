/** Artifacts of a drill, one layer with one file each, in an image layout (OCI image-spec) whose blobs a registry serves. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;
export const MANIFEST_TYPE = TYPES.manifest;

export interface ArtifactContent {
  /** Where its page is within the layer; one that leads out is what no target may take. */
  readonly path: string;
  readonly text: string;
}

/** Adds it to the layout; answers the digest of its manifest. */
export async function writeArtifact(layout: string, { path, text }: ArtifactContent): Promise<string> {
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  const archive = pack();
  archive.entry({ name: path, mode: 0o644, mtime: new Date(0) }, text);
  archive.finalize();
  const chunks: Buffer[] = [];
  // Its type extends Node's stream, whose iterator is untyped; it gives buffers only.
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  const tar = Buffer.concat(chunks);
  const write = (bytes: Buffer, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    writeFileSync(blobPath(layout, digest), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const layer = write(gzipSync(tar), TYPES.layer);
  const config = write(
    toJson({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } }),
    TYPES.config,
  );
  const manifest = write(
    toJson({ schemaVersion: 2, mediaType: TYPES.manifest, config, layers: [layer] }),
    TYPES.manifest,
  );
  addToIndex(layout, manifest);
  return manifest.digest;
}

function addToIndex(layout: string, manifest: Descriptor): void {
  const file = join(layout, 'index.json');
  // Written below.
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Index).manifests : [];
  const index: Index = { schemaVersion: 2, mediaType: TYPES.index, manifests: [...known, manifest] };
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(file, JSON.stringify(index));
}

interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export function blobPath(layout: string, digest: string): string {
  return join(layout, 'blobs', ...digest.split(':'));
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function toJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
