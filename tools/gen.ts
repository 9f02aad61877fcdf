/** `npm run gen`: writes the generated pages. With `--check` it writes nothing, names stale ones and exits 1. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readSourceTree } from './code/source-tree.ts';
import { renderPages } from './gen/pages.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const tree = readSourceTree(join(import.meta.dirname, '..'));
for (const [path, text] of renderPages(tree)) {
  if (tree.read(path) === text) continue;
  console.log(`${path} ${values.check ? 'is stale; run: npm run gen' : 'written'}`);
  if (values.check) {
    process.exitCode = 1;
    continue;
  }
  mkdirSync(dirname(join(tree.root, path)), { recursive: true });
  writeFileSync(join(tree.root, path), text);
}
