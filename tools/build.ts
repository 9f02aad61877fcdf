/**
 * `npm run build`: bundles the command line and the demo into `packages/cli/dist`. The server is a chunk of its own,
 * loaded only by `orch serve`, so that other commands start without it.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bundle, ENTRIES } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'packages', 'cli', 'dist');

const startMs = performance.now();
const result = await bundle({ root, outdir: folder, write: true });
removeStale(Object.keys(result.outputs).map((path) => basename(path)));
console.log(`built ${Object.keys(ENTRIES).join(', ')} in ${Math.round(performance.now() - startMs)} ms`);

/** Chunks of earlier builds; names carry a hash of the content. */
function removeStale(written: readonly string[]): void {
  for (const name of readdirSync(folder)) {
    if (!written.includes(name)) rmSync(join(folder, name), { recursive: true });
  }
}
