/** Finds the programs of tests, which `tools/testing/build-programs.ts` builds before them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', 'dist');

/** `/…/packages/testkit/dist/serve-with-fault.mjs`, for Node itself; throws where nothing was built. */
export function testProgram(name: 'files-target-child' | 'serve-with-fault'): string {
  const path = join(FOLDER, `${name}.mjs`);
  if (!existsSync(path))
    throw new Error(`${path} is not there; vitest and npm run bench build it before they start what needs it`);
  return path;
}
