/** A file system of a few megabytes in memory, which really gets full. Needs root. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const COMMAND_TIMEOUT_MS = 10_000;

export interface SmallDisk {
  readonly directory: string;
  /** Not a byte is left, until `free`. */
  fill(): Promise<void>;
  free(): Promise<void>;
  remove(): Promise<void>;
}

export async function mountSmallDisk(directory: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(directory);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0711`, 'stella-test', directory]);
  await chmod(directory, 0o711);
  const filler = join(directory, 'filler');
  return {
    directory,
    async fill() {
      const { bavail, bsize } = await statfs(directory);
      // Somebody else may take some of it first: what is left is then less than a page.
      for (const bytes of [bavail * bsize, 65_536, 4_096]) {
        await run('fallocate', ['-o', '0', '-l', String(bytes), `${filler}-${bytes}`]).catch(() => undefined);
      }
    },
    async free() {
      await run('find', [directory, '-maxdepth', '1', '-name', 'filler-*', '-delete']);
    },
    async remove() {
      await run('umount', ['-l', directory]);
      await rm(directory, { recursive: true });
    },
  };
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args, { timeout: COMMAND_TIMEOUT_MS });
}
