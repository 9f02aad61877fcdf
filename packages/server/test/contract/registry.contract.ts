/** What every `Registry` must do, wherever the artifacts come from. Run by `registry.test.ts` and the system tests. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { type ArtifactSource, type Digest, digestOf, type ErrorCode, isAppError } from '@stella/domain';
import type { OciImage, WrittenImage } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactDocument, Descriptor, Registry } from '../../src/ports/registry.ts';
import { BLOB_BYTES_MAX } from '../../src/registry/open-registry.ts';

/** One place with its registry; every test publishes under a name of its own. */
export interface RegistryWorld {
  readonly registry: Registry;
  /** Puts images where `registry` finds them, as a publisher would. */
  publish(name: string, images: readonly OciImage[]): Promise<readonly WrittenImage[]>;
  sourceOf(name: string): ArtifactSource;
  /** The file that holds the bytes of published content. */
  blobPath(name: string, digest: Digest): string;
  close(): Promise<void>;
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const PLATFORMS = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64', variant: 'v8' },
];
/** Not a divisor of any chunk size, and far more than one chunk. */
const LARGE_BYTES = 3_000_001;

export function describeRegistryContract(placeName: string, openWorld: () => Promise<RegistryWorld>): void {
  describe(`registry contract: ${placeName}`, () => {
    let world: RegistryWorld;
    beforeAll(async () => {
      world = await openWorld();
    });
    afterAll(() => world?.close());
    describeResolving(() => world);
    describeDocuments(() => world);
    describeBlobs(() => world);
    describeDamage(() => world);
  });
}

type GiveWorld = () => RegistryWorld;

function describeResolving(world: GiveWorld): void {
  describe('resolve', () => {
    it.each([
      ['oci', undefined, OCI_MANIFEST],
      ['oci', PLATFORMS, 'application/vnd.oci.image.index.v1+json'],
      ['docker', undefined, 'application/vnd.docker.distribution.manifest.v2+json'],
      ['docker', PLATFORMS, 'application/vnd.docker.distribution.manifest.list.v2+json'],
    ] as const)(
      'answers digest and media type of what the tag names: %s %j',
      async (mediaTypes, platforms, mediaType) => {
        const name = `resolve-${mediaTypes}-${platforms ? 'index' : 'manifest'}`;
        const image = { tag: '1.0', files: { a: 'b' }, mediaTypes, ...(platforms ? { platforms } : {}) };
        const [written] = await world().publish(name, [image]);
        const source = world().sourceOf(name);
        const byTag = await world().registry.resolve({ source, tag: '1.0', digest: null });
        expect(byTag).toEqual({ source, digest: written?.digest, mediaType });
        const byDigest = await world().registry.resolve({ source, tag: null, digest: byTag.digest });
        expect(byDigest).toEqual(byTag);
      },
    );

    it('follows a moved tag, and still finds what it named before by digest', async () => {
      const source = world().sourceOf('moved');
      const [before] = await world().publish('moved', [{ tag: 'latest', files: { a: '1' } }]);
      const [after] = await world().publish('moved', [{ tag: 'latest', files: { a: '2' } }]);
      const resolved = await world().registry.resolve({ source, tag: 'latest', digest: null });
      expect(resolved.digest).toBe(after?.digest);
      expect(resolved.digest).not.toBe(before?.digest);
      const old = await world().registry.resolve({ source, tag: null, digest: digestIn(before) });
      expect(old.digest).toBe(before?.digest);
    });

    it('says which tag is not there', async () => {
      await world().publish('tags', [{ tag: '1.0', files: { a: 'b' } }]);
      const source = world().sourceOf('tags');
      const error = await codeOf(world().registry.resolve({ source, tag: '1.1', digest: null }));
      expect(error).toEqual(['registry.tag_not_found', expect.stringMatching(/no tag "1\.1" in .*tags$/)]);
    });

    it('says which digest is not there', async () => {
      await world().publish('digests', [{ tag: '1.0', files: { a: 'b' } }]);
      const source = world().sourceOf('digests');
      const digest = digestOf('nothing');
      for (const call of [
        () => world().registry.resolve({ source, tag: null, digest }),
        () => world().registry.readDocument(source, digest),
        () => readAll(world().registry.readBlob(source, { mediaType: 'a/b', digest, sizeBytes: 7 })),
      ]) {
        expect(await codeOf(call())).toEqual(['registry.artifact_missing', expect.stringContaining(digest)]);
      }
    });

    it('refuses a reference that names neither tag nor digest', async () => {
      const source = world().sourceOf('tags');
      const [code] = await codeOf(world().registry.resolve({ source, tag: null, digest: null }));
      expect(code).toBe('registry.reference');
    });

    it('gives up at once when its signal has aborted', async () => {
      await world().publish('aborted', [{ tag: '1.0', files: { a: 'b' } }]);
      const call = world().registry.resolve(
        { source: world().sourceOf('aborted'), tag: '1.0', digest: null },
        AbortSignal.abort(),
      );
      expect((await codeOf(call))[0]).toBe('registry.unreachable');
    });
  });
}

function describeDocuments(world: GiveWorld): void {
  describe('readDocument', () => {
    it('reads a manifest with its config and layers', async () => {
      const layers = [[{ path: 'second', content: 'x' }]];
      const [image] = await world().publish('manifest', [{ tag: '1.0', files: { a: 'b' }, layers }]);
      const document = await world().registry.readDocument(world().sourceOf('manifest'), digestIn(image));
      if (document.kind !== 'manifest') throw new Error('not a manifest');
      const [written] = image?.manifests ?? [];
      expect(document.digest).toBe(image?.digest);
      expect(document.config.digest).toBe(written?.config);
      expect(document.layers.map((layer) => layer.digest)).toEqual(written?.layers);
      for (const layer of document.layers) {
        const { size } = await sizeOf(world().blobPath('manifest', layer.digest));
        expect(layer.sizeBytes).toBe(size);
      }
    });

    it('reads an index with its platforms, and each manifest of it', async () => {
      const [image] = await world().publish('index', [{ tag: '1.0', files: { a: 'b' }, platforms: PLATFORMS }]);
      const source = world().sourceOf('index');
      const document = await world().registry.readDocument(source, digestIn(image));
      if (document.kind !== 'index') throw new Error('not an index');
      expect(document.manifests.map((one) => one.platform)).toEqual(PLATFORMS);
      for (const one of document.manifests) {
        const manifest = await world().registry.readDocument(source, one.digest);
        expect(manifest).toMatchObject({ kind: 'manifest', digest: one.digest, mediaType: OCI_MANIFEST });
      }
    });

    it('serves many callers at once', async () => {
      const images = Array.from({ length: 8 }, (_none, n) => ({ tag: `1.${n}`, files: { n: String(n) } }));
      const written = await world().publish('many', images);
      const source = world().sourceOf('many');
      const digests = await Promise.all(
        images.map(async ({ tag }) => (await world().registry.resolve({ source, tag, digest: null })).digest),
      );
      expect(digests).toEqual(written.map((one) => one.digest));
    });
  });
}

function describeBlobs(world: GiveWorld): void {
  describe('readBlob', () => {
    it('hands out exactly the bytes, in several chunks when they are many', async () => {
      const { layer, source, path } = await publishLarge(world(), 'blob');
      const chunks: Uint8Array[] = [];
      for await (const chunk of world().registry.readBlob(source, layer)) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(await readFile(path))).toBe(true);
      expect(chunks.length).toBeGreaterThan(1);
    });

    it('can be left early, and read again', async () => {
      const { layer, source } = await publishLarge(world(), 'early');
      for (let round = 0; round < 5; round += 1) {
        for await (const chunk of world().registry.readBlob(source, layer)) {
          expect(chunk.byteLength).toBeGreaterThan(0);
          break;
        }
      }
      expect((await readAll(world().registry.readBlob(source, layer))).byteLength).toBe(layer.sizeBytes);
    });

    it('stops when its signal aborts in the middle', async () => {
      const { layer, source } = await publishLarge(world(), 'stopped');
      const controller = new AbortController();
      const read = async (): Promise<void> => {
        for await (const chunk of world().registry.readBlob(source, layer, controller.signal)) {
          if (chunk.byteLength > 0) controller.abort();
        }
      };
      expect((await codeOf(read()))[0]).toBe('registry.unreachable');
    });

    it('refuses a descriptor that promises too much, before it asks', async () => {
      const { layer, source } = await publishLarge(world(), 'limit');
      const huge = { ...layer, sizeBytes: BLOB_BYTES_MAX + 1 };
      const [code] = await codeOf(readAll(world().registry.readBlob(source, huge)));
      expect(code).toBe('registry.limit');
    });

    it.each([-1, 1])('refuses a descriptor whose size is wrong by %i', async (difference) => {
      const { layer, source } = await publishLarge(world(), 'size');
      const wrong = { ...layer, sizeBytes: layer.sizeBytes + difference };
      expect((await codeOf(readAll(world().registry.readBlob(source, wrong))))[0]).toBe('registry.digest_mismatch');
    });
  });
}

const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'one changed bit at the end': (bytes) =>
    Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]),
  'one changed bit at the start': (bytes) => Buffer.concat([Buffer.from([(bytes[0] ?? 0) ^ 1]), bytes.subarray(1)]),
  'a missing last byte': (bytes) => bytes.subarray(0, -1),
  'an added byte': (bytes) => Buffer.concat([bytes, Buffer.from('x')]),
  'no bytes at all': () => Buffer.alloc(0),
};

function describeDamage(world: GiveWorld): void {
  describe('damaged content', () => {
    it.each(Object.keys(DAMAGES))('a blob with %s is refused before its last chunk', async (damage) => {
      const { layer, source, path } = await publishLarge(world(), `blob-${damage.replaceAll(' ', '-')}`);
      await writeFile(path, DAMAGES[damage]?.(await readFile(path)) ?? '');
      let seenBytes = 0;
      const read = async (): Promise<void> => {
        for await (const chunk of world().registry.readBlob(source, layer)) seenBytes += chunk.byteLength;
      };
      expect((await codeOf(read()))[0]).toBe('registry.digest_mismatch');
      expect(seenBytes).toBeLessThan(layer.sizeBytes);
    });

    it('a manifest that means the same in other bytes is refused by tag and by digest', async () => {
      const [image] = await world().publish('manifest-damage', [{ tag: '1.0', files: { a: 'b' } }]);
      const source = world().sourceOf('manifest-damage');
      const digest = digestIn(image);
      const path = world().blobPath('manifest-damage', digest);
      await writeFile(path, `${await readFile(path, 'utf8')} `);
      for (const call of [
        () => world().registry.resolve({ source, tag: '1.0', digest: null }),
        () => world().registry.resolve({ source, tag: null, digest }),
        () => world().registry.readDocument(source, digest),
      ]) {
        expect(await codeOf(call())).toEqual(['registry.digest_mismatch', expect.stringContaining(`for ${digest}`)]);
      }
    });

    it('a removed blob is missing', async () => {
      const { layer, source, path } = await publishLarge(world(), 'removed');
      await rm(path);
      expect((await codeOf(readAll(world().registry.readBlob(source, layer))))[0]).toBe('registry.artifact_missing');
    });
  });
}

/** An image with one large layer that does not compress. */
async function publishLarge(
  world: RegistryWorld,
  name: string,
): Promise<{ layer: Descriptor; source: ArtifactSource; path: string }> {
  const content = Buffer.alloc(LARGE_BYTES);
  for (let offset = 0; offset < LARGE_BYTES; offset += 1) content[offset] = (offset * offset) >> 7;
  const [image] = await world.publish(name, [{ tag: '1.0', files: { name, content } }]);
  const source = world.sourceOf(name);
  const document: ArtifactDocument = await world.registry.readDocument(source, digestIn(image));
  const layer = document.kind === 'manifest' ? document.layers[0] : undefined;
  if (!layer) throw new Error('the image has no layer');
  return { layer, source, path: world.blobPath(name, layer.digest) };
}

function digestIn(image: WrittenImage | undefined): Digest {
  if (!image) throw new Error('nothing was published');
  return image.digest;
}

async function sizeOf(path: string): Promise<{ size: number }> {
  return { size: (await readFile(path)).byteLength };
}

export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** Code and message of the `AppError` that the call must end with. */
export async function codeOf(call: Promise<unknown>): Promise<readonly [ErrorCode, string]> {
  try {
    await call;
  } catch (error) {
    if (isAppError(error)) return [error.code, error.message];
    throw error;
  }
  throw new Error('the call succeeded');
}
