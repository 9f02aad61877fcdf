/**
 * `npm run build`: bundles the command line and the demo into `packages/cli/dist`. The server is a chunk of its own,
 * loaded only by `orch serve`, so that other commands start without it.
 */
import { join } from 'node:path';
import { buildProgram, ENTRIES } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const startMs = performance.now();
await buildProgram({ root, outdir: join(root, 'packages', 'cli', 'dist') });
console.log(`built ${Object.keys(ENTRIES).join(', ')} in ${Math.round(performance.now() - startMs)} ms`);
