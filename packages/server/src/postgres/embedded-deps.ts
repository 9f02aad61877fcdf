/** What the embedded PostgreSQL needs of the world. */
import type { Clock } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Logger } from '../ports/logger.ts';
import type { Processes } from '../ports/processes.ts';

export interface EmbeddedDeps {
  readonly clock: Clock;
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  readonly logger: Logger;
  /** `linux-x64`, as the npm packages of the binaries are named. */
  readonly platform: string;
  /** `native/` of the package for this platform; null when it is not installed. */
  readonly nativeDirectory: string | null;
  /** Of this process; 0 is root. */
  readonly uid: number;
  /** Of this process; null when its user id has no name on this machine. */
  readonly userName: string | null;
}

/** The whole environment of PostgreSQL's programs: nothing of the server's own, so no locale, no `PG…`, no secret. */
export const PROGRAM_ENVIRONMENT: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** `EACCES` and the like; empty when the error has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Null when there is no such file. */
export async function readIfThere(fileSystem: FileSystem, path: string): Promise<string | null> {
  try {
    return await fileSystem.readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
