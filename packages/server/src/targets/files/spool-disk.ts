/**
 * The bytes of a tree on their way to a host: one file without a name on this machine, which is gone with whoever holds it.
 * No name that an archive holds is made here. It may grow to `UnpackLimits.totalBytesMax`.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '@stella/domain';
import { pack, type Header, type Pack } from 'tar-stream';
import { randomSuffix, type TargetDeps } from '../target-deps.ts';
import type { TreeDisk } from './tree-disk.ts';
import { type DirectoryNode, type FileNode, walkTree } from './tree-nodes.ts';
import { recordsOfTree } from './tree-records.ts';

const CHUNK_BYTES = 256 * 1_024;
/** Servers of other users read the releases. */
const PUBLIC_MODE = 0o755;

export interface Spool {
  /** Keeps bytes alone: the tree itself is in the memory of whoever writes it. */
  readonly disk: TreeDisk;
  /** A tar archive with `index`, the records of the tree, and the tree below `tree/`. */
  archive(root: DirectoryNode): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

type SpoolDeps = Pick<TargetDeps, 'fileSystem' | 'random' | 'scratchDirectory'>;

export async function openSpool(deps: SpoolDeps, target: string): Promise<Spool> {
  const { fileSystem, scratchDirectory } = deps;
  const path = join(scratchDirectory, `spool-${randomSuffix(deps)}`);
  const handle = await here(target, () => fileSystem.open(path, 'wx+', 0o600));
  await here(target, () => fileSystem.unlink(path));
  let endBytes = 0;
  const nothing = (): Promise<void> => Promise.resolve();
  async function* read({ spooledAt = 0, sizeBytes }: FileNode): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < sizeBytes; ) {
      const wanted = Math.min(CHUNK_BYTES, sizeBytes - done);
      const at = spooledAt + done;
      const { bytesRead, buffer } = await here(target, () => handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at));
      if (bytesRead === 0) throw new Error('the spool is shorter than what was put into it');
      yield buffer.subarray(0, bytesRead);
      done += bytesRead;
    }
  }
  const writeFile: TreeDisk['writeFile'] = async (_path, _mode, content) => {
    const hash = createHash('sha256');
    const spooledAt = endBytes;
    for await (const chunk of content) {
      hash.update(chunk);
      // Its position is where the last write ended.
      await here(target, () => handle.writeFile(chunk));
      endBytes += chunk.byteLength;
    }
    return { sizeBytes: endBytes - spooledAt, sha256: hash.digest('hex'), spooledAt };
  };
  return {
    disk: { makeDirectory: nothing, writeFile, makeSymlink: nothing, makeLink: nothing, remove: nothing },
    archive: (root) => archiveOf(root, read),
    close: () => handle.close(),
  };
}

/** An error of this machine's disk must not be told as one of the target's. */
async function here<Value>(target: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const message = `on the machine of the orchestrator: ${error instanceof Error ? error.message : String(error)}`;
    throw new AppError('target.interrupted', { details: { target, message }, cause: error });
  }
}

type ReadFile = (node: FileNode) => AsyncIterable<Uint8Array>;

async function* archiveOf(root: DirectoryNode, read: ReadFile): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const filling = fill(archive, root, read).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    // An archive's chunks are bytes, which its types leave open.
    yield* archive as AsyncIterable<Uint8Array>;
  } finally {
    archive.destroy();
    await filling;
  }
}

async function fill(archive: Pack, root: DirectoryNode, read: ReadFile): Promise<void> {
  const records = recordsOfTree(root);
  await put(archive, { name: 'index', mode: 0o600, size: records.length }, [records]);
  await put(archive, { name: 'tree', type: 'directory', mode: PUBLIC_MODE }, []);
  for (const { path, node } of walkTree(root)) {
    const name = `tree/${path}`;
    if (node.kind === 'directory') await put(archive, { name, type: 'directory', mode: node.mode }, []);
    else if (node.kind === 'symlink') await put(archive, { name, type: 'symlink', linkname: node.target }, []);
    else await put(archive, { name, mode: node.mode, size: node.sizeBytes }, read(node));
  }
}

/** One entry, at the pace of whoever reads the archive. */
async function put(
  archive: Pack,
  header: Partial<Header> & Pick<Header, 'name'>,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  let settle: (error?: Error | null) => void = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
  // Waited for below; until then its error is nobody's.
  done.catch(() => undefined);
  const isFile = header.type === undefined;
  const entry = archive.entry({ ...header }, (error) => settle(error));
  for await (const chunk of content) {
    if (entry.write(chunk)) continue;
    const drained = new Promise<void>((resolve) => entry.once('drain', resolve));
    await Promise.race([drained, done]);
  }
  if (isFile) entry.end(undefined);
  await done;
}
