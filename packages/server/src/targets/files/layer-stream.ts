/** The bytes of a layer → its plain tar stream, measured. Which media types are layers at all is decided here. */
import { Readable, pipeline, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Descriptor } from '../../ports/registry.ts';
import type { Refuse } from './entry-path.ts';

type Compression = 'none' | 'gzip' | 'zstd';

/** OCI image-spec, media-types.md, and what Docker calls the same. Layers that may not be distributed are not here. */
const COMPRESSION_BY_MEDIA_TYPE: Readonly<Record<string, Compression>> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
};

/** Made anew for each layer. Null: not in this Node. */
const DECOMPRESSORS: Readonly<Record<Compression, (() => Transform) | null>> = {
  none: null,
  gzip: () => zlib.createGunzip(),
  zstd: findZstd(),
};

/** zstd came with Node 22.15; types of older versions do not know it. */
function findZstd(): (() => Transform) | null {
  // By its documentation it makes a Transform.
  const make = Reflect.get(zlib, 'createZstdDecompress') as (() => Transform) | undefined;
  return make === undefined ? null : () => make();
}

/** Counts down over all layers of one artifact. */
export interface ByteBudget {
  /** Throws when more was taken than was there. */
  take(bytes: number): void;
}

/** Throws what `refuse` makes for a media type that is no layer, or a compression that this Node lacks. */
export function openLayer(
  layer: Descriptor,
  blob: AsyncIterable<Uint8Array>,
  budget: ByteBudget,
  refuse: Refuse,
): AsyncIterable<Uint8Array> {
  const compression = Object.hasOwn(COMPRESSION_BY_MEDIA_TYPE, layer.mediaType)
    ? COMPRESSION_BY_MEDIA_TYPE[layer.mediaType]
    : undefined;
  if (compression === undefined) throw refuse(layer.digest, `"${layer.mediaType}" is no layer of files`);
  if (compression === 'none') return measured(blob, budget);
  const decompressor = DECOMPRESSORS[compression]?.();
  if (!decompressor) throw refuse(layer.digest, 'it is compressed with zstd, for which this Node is too old');
  // An error of either end destroys the other, and shows where the bytes are read.
  const bytes: AsyncIterable<Uint8Array> = pipeline(Readable.from(blob), decompressor, () => undefined);
  return measured(translated(bytes, layer, refuse), budget);
}

async function* translated(
  bytes: AsyncIterable<Uint8Array>,
  { digest }: Descriptor,
  refuse: Refuse,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    const isCompression = error instanceof Error && 'errno' in error && /^(Z_|ZSTD_)/.test(codeOf(error));
    throw isCompression ? refuse(digest, `its compression is broken: ${codeOf(error)}`) : error;
  }
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

async function* measured(bytes: AsyncIterable<Uint8Array>, budget: ByteBudget): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    budget.take(chunk.byteLength);
    yield chunk;
  }
}
