#!/usr/bin/env node
// The bundled program; `npm run build` makes it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const program = join(import.meta.dirname, '..', 'dist', 'main.mjs');
if (existsSync(program)) await import(pathToFileURL(program).href);
else {
  process.stderr.write('error: stella is not built yet\ntry: npm run build\n');
  process.exitCode = 1;
}
