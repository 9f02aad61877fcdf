/** Free space where the embedded PostgreSQL lies, for diagnoses. */
import type { ReadDisk } from '../diagnosis/diagnoser.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';

/** `dataDir` null: the database is on another machine, whose disk cannot be asked. */
export function makeReadDisk(dataDir: string | null): ReadDisk {
  return async () => {
    if (dataDir === null) return null;
    try {
      const { bavail, bsize } = await nodeFileSystem.statfs(dataDir);
      return { path: dataDir, freeBytes: bavail * bsize };
    } catch {
      // What cannot be asked is not concluded from.
      return null;
    }
  };
}
