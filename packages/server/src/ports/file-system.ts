/**
 * The file system as the server sees it: the shape of `node:fs/promises` and of its two stream makers, narrowed to what
 * is used, so that production passes Node's own and a simulation passes its own.
 */
import type * as promises from 'node:fs/promises';
import type { createReadStream, createWriteStream } from 'node:fs';

export type FileSystem = Pick<
  typeof promises,
  | 'access'
  | 'appendFile'
  | 'chmod'
  | 'chown'
  | 'constants'
  | 'copyFile'
  | 'cp'
  | 'link'
  | 'lstat'
  | 'lutimes'
  | 'mkdir'
  | 'mkdtemp'
  | 'open'
  | 'readFile'
  | 'readdir'
  | 'readlink'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'stat'
  | 'statfs'
  | 'symlink'
  | 'unlink'
  | 'writeFile'
> & {
  readonly createReadStream: typeof createReadStream;
  readonly createWriteStream: typeof createWriteStream;
};
