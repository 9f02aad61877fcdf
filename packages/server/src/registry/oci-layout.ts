/**
 * Artifacts in an OCI image layout on the server's disk (image-spec, image-layout.md). Only directories below the allowed
 * roots are read, whatever symlinks say; and only plain files, so that a pipe or a device cannot hang or feed the server.
 */
import { join } from 'node:path';
import { AppError, type Digest, formatSource, parseStrictJson } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Descriptor } from '../ports/registry.ts';
import type { ByteSource, FetchedDocument } from './byte-source.ts';
import { type ConfinedDirectory, type FileHandle, confineDirectory } from './confined-directory.ts';
import { raceDeadline } from './deadline.ts';
import { DOCUMENT_BYTES_MAX, documentTooLarge, parseDescriptor, type Refuse } from './manifest.ts';

/** Bytes of one read of a blob; larger ones were not faster. */
const CHUNK_BYTES = 256 * 1_024;
/** One step on the disk: opening and reading a document, or one chunk of a blob. A network disk may hang. */
const STEP_TIMEOUT_MS = 15_000;
const LAYOUT_VERSION = '1.0.0';
const REF_NAME = 'org.opencontainers.image.ref.name';

export interface LayoutDeps {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  /** Absolute directories; a layout must be one of them or below one. Empty: no layout may be read. */
  readonly layoutRoots: readonly string[];
}

/** Opens nothing yet; `directory` is absolute, as the domain's reference parser demands. */
export function openLayout(directory: string, deps: LayoutDeps): ByteSource {
  const name = formatSource({ kind: 'oci-layout', directory });
  const step = <T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> =>
    raceDeadline(run, {
      clock: deps.clock,
      timeoutMs: STEP_TIMEOUT_MS,
      signal,
      giveUp: (why) => unreachable(name, why),
    });
  const confine = (): Promise<ConfinedDirectory> => confineDirectory(directory, deps);

  return {
    readTag: (tag, signal) =>
      step(signal, async () => {
        const layout = await confine();
        const descriptor = await findTag(layout, name, tag);
        const bytes = await readBlobWhole(layout, name, descriptor.digest);
        return { bytes, mediaType: descriptor.mediaType, claimedDigest: descriptor.digest };
      }),
    readDocument: (digest, signal) =>
      step(signal, async (): Promise<FetchedDocument> => {
        const bytes = await readBlobWhole(await confine(), name, digest);
        return { bytes, mediaType: null, claimedDigest: null };
      }),
    async *readBlob({ digest }, signal) {
      const open = async (): Promise<FileHandle> => {
        const handle = await (await confine()).openFile(blobPath(digest));
        if (!handle) throw missing(name, digest);
        return handle;
      };
      const handle = await step(signal, open);
      try {
        // Ends at the end of the file, whose size is bounded by its descriptor; each step has a deadline.
        for (;;) {
          const chunk = await step(signal, () => readChunk(handle));
          if (chunk.byteLength === 0) return;
          yield chunk;
        }
      } finally {
        await handle.close();
      }
    },
  };
}

async function readChunk(handle: FileHandle): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, null);
  return buffer.subarray(0, bytesRead);
}

function blobPath(digest: Digest): string {
  return join('blobs', 'sha256', digest.slice('sha256:'.length));
}

async function readBlobWhole(layout: ConfinedDirectory, name: string, digest: Digest): Promise<Uint8Array> {
  const bytes = await layout.readFile(blobPath(digest), DOCUMENT_BYTES_MAX);
  if (bytes === 'missing') throw missing(name, digest);
  if (bytes === 'too_large') throw documentTooLarge(digest, name);
  return bytes;
}

/** Throws `registry.tag_not_found`; `registry.bad_manifest` when two different artifacts have the tag. */
async function findTag(layout: ConfinedDirectory, name: string, tag: string): Promise<Descriptor> {
  await checkVersion(layout, name);
  const { value, refuse } = await readJson(layout, name, 'index.json');
  const entries = (value as { manifests?: unknown } | null)?.manifests;
  if (!Array.isArray(entries)) throw refuse('"manifests" is not a list');
  const found = entries
    .filter((entry) => refName(entry) === tag)
    .map((entry, index) => parseDescriptor(entry, `manifests with the tag ${tag}, ${index + 1}`, refuse));
  const [first] = found;
  if (!first) throw new AppError('registry.tag_not_found', { details: { tag, repository: name } });
  if (found.some((one) => one.digest !== first.digest)) throw refuse(`the tag "${tag}" names several artifacts`);
  return first;
}

function refName(entry: unknown): unknown {
  // Unknown JSON, asked for members one by one.
  const annotations = (entry as { annotations?: unknown } | null)?.annotations;
  return (annotations as Readonly<Record<string, unknown>> | null | undefined)?.[REF_NAME];
}

async function checkVersion(layout: ConfinedDirectory, name: string): Promise<void> {
  const { value, refuse } = await readJson(layout, name, 'oci-layout');
  // Unknown JSON, asked for one member.
  const version = (value as { imageLayoutVersion?: unknown } | null)?.imageLayoutVersion;
  if (version !== LAYOUT_VERSION) throw refuse(`its imageLayoutVersion is not ${LAYOUT_VERSION}`);
}

async function readJson(
  layout: ConfinedDirectory,
  name: string,
  file: string,
): Promise<{ value: unknown; refuse: Refuse }> {
  const bytes = await layout.readFile(file, DOCUMENT_BYTES_MAX);
  if (bytes === 'missing') throw unreachable(name, `it has no file "${file}", so it is not an OCI image layout`);
  if (bytes === 'too_large') throw documentTooLarge(file, name);
  const refuse: Refuse = (message) =>
    new AppError('registry.bad_manifest', { details: { digest: file, repository: name, message } });
  return { value: parseStrictJson(bytes, refuse), refuse };
}

function missing(name: string, digest: Digest): AppError {
  return new AppError('registry.artifact_missing', {
    details: { digest, repository: name },
    hint: 'copy the artifact into the layout again',
  });
}

function unreachable(name: string, message: string): AppError {
  return new AppError('registry.unreachable', { details: { registry: name, message } });
}
