/** Layers of one manifest → one tree. Owns what an archive may hold; where it lands is the tree writer's. */
import { Readable } from 'node:stream';
import type { ArtifactSource } from '@stella/domain';
import { extract, type Header } from 'tar-stream';
import type { Descriptor } from '../../ports/registry.ts';
import type { CallScope } from '../call-scope.ts';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import { parseEntryPath, parseWhiteout, refuseEntry, type Refuse, type UnpackLimits } from './entry-path.ts';
import { type ByteBudget, openLayer } from './layer-stream.ts';
import type { TreeDisk } from './tree-disk.ts';
import { findEscape, type DirectoryNode, walkTree } from './tree-nodes.ts';
import { makeTreeWriter, type TreeWriter } from './tree-writer.ts';

/** One entry of an archive while it is read: its header, and its content as it comes. */
interface Entry extends AsyncIterable<Uint8Array> {
  readonly header: Header;
}

export interface UnpackWish {
  readonly target: string;
  readonly source: ArtifactSource;
  readonly layers: readonly Descriptor[];
  /** Where it goes; empty. */
  readonly disk: TreeDisk;
  readonly limits: UnpackLimits;
  /** Called before each layer; throws when the operation lost its right. */
  readonly checkAllowed: () => Promise<void>;
}

/**
 * Answers what the tree holds now. Modes of directories are not set yet and nothing is synced. Throws
 * `target.unpack_refused`, `target.interrupted`, the registry's errors and those of the file system.
 */
export async function unpackLayers(deps: TargetDeps, wish: UnpackWish, scope: CallScope): Promise<DirectoryNode> {
  const { limits, layers, target } = wish;
  const refuse: Refuse = (path, message) => refuseEntry(target, path, message);
  if (layers.length > limits.layerCountMax) {
    throw refuse(`layer ${layers.length}`, `there are more than ${limits.layerCountMax} layers`);
  }
  const writer = makeTreeWriter({ disk: wish.disk, limits, refuse });
  const budget = makeBudget(limits, refuse);
  for (const layer of layers) {
    scope.check();
    await wish.checkAllowed();
    const blob = deps.registry.readBlob(wish.source, layer, scope.signal);
    await unpackLayer(openLayer(layer, blob, budget, refuse), { writer, limits, refuse, scope, layer });
    writer.nextLayer();
    await hitFault(deps, 'target.files.layer_unpacked');
  }
  for (const { path, node } of walkTree(writer.root)) {
    const escape = node.kind === 'symlink' ? findEscape(writer.root, path) : null;
    if (escape !== null) throw refuse(path, escape);
  }
  return writer.root;
}

function makeBudget({ totalBytesMax }: UnpackLimits, refuse: Refuse): ByteBudget {
  let takenBytes = 0;
  return {
    take(bytes) {
      takenBytes += bytes;
      if (takenBytes > totalBytesMax) throw refuse('the whole', `it is larger than ${totalBytesMax} bytes`);
    },
  };
}

interface LayerContext {
  readonly writer: TreeWriter;
  readonly limits: UnpackLimits;
  readonly refuse: Refuse;
  readonly scope: CallScope;
  readonly layer: Descriptor;
}

async function unpackLayer(bytes: AsyncIterable<Uint8Array>, context: LayerContext): Promise<void> {
  const archive = extract();
  const feed = Readable.from(bytes);
  let feedError: Error | null = null;
  feed.on('error', (error) => {
    feedError = error;
    archive.destroy(error);
  });
  feed.pipe(archive);
  try {
    for await (const entry of archive) {
      context.scope.check();
      // The reader's types leave its chunks open; an archive's are bytes.
      await putEntry(entry as Entry, context);
    }
  } catch (error) {
    // What broke the bytes comes before what the archive made of it.
    const cause: unknown = feedError ?? error;
    if (!isArchiveError(cause) || feedError !== null) throw cause;
    throw context.refuse(context.layer.digest, `its archive is broken: ${cause.message}`);
  } finally {
    archive.destroy();
    feed.destroy();
  }
}

/** The archive reader throws plain errors; those of the disk have a code, ours are of their own class. */
function isArchiveError(error: unknown): error is Error {
  return error instanceof Error && error.constructor === Error && !('code' in error);
}

async function putEntry(entry: Entry, context: LayerContext): Promise<void> {
  const { writer, limits, refuse } = context;
  const { name, type, mode, linkname } = entry.header;
  const path = parseEntryPath(name, limits, refuse);
  const whiteout = parseWhiteout(path, refuse);
  if (type === 'file' || type === 'contiguous-file') {
    refuseSparse(entry.header, refuse);
    if (!whiteout) {
      await writer.putFile(path, mode, entry);
      return;
    }
    await writer.applyWhiteout(whiteout);
  } else if (whiteout) throw refuse(name, 'a whiteout must be an empty file');
  else if (type === 'directory') await writer.putDirectory(path, mode);
  else if (type === 'symlink') await writer.putSymlink(path, linkTarget(entry.header, context));
  else if (type === 'link') {
    await writer.putHardLink(path, parseEntryPath(linkTarget(entry.header, context), limits, refuse));
  } else throw refuse(name, `a ${type ?? 'entry of unknown type'} is not allowed${linkname ? ` (${linkname})` : ''}`);
  // What an entry holds besides its header must be read, or the next one never comes.
  for await (const _chunk of entry) context.scope.check();
}

function linkTarget({ name, linkname }: Header, { limits, refuse }: LayerContext): string {
  if (!linkname) throw refuse(name, 'it links to nothing');
  if (Buffer.byteLength(linkname) > limits.pathBytesMax) {
    throw refuse(name, `its link is longer than ${limits.pathBytesMax} bytes`);
  }
  if (linkname.includes('\0') || linkname.includes('\ufffd')) throw refuse(name, 'its link is not UTF-8');
  return linkname;
}

/** A sparse file's content is a map of itself; unpacked as it is it would be another file. */
function refuseSparse(header: Header, refuse: Refuse): void {
  // The reader adds the extended header's records, which its types do not show.
  const { pax } = header as { readonly pax?: Readonly<Record<string, string>> | null };
  if (pax && Object.keys(pax).some((key) => key.startsWith('GNU.sparse'))) {
    throw refuse(header.name, 'it is a sparse file');
  }
}
