/**
 * `npm run tidy`: what lint cannot say, one rule per file in `rules/`. Prints findings as `path:line rule: message;
 * remedy` and exits 1 when there is one. Files over 400 lines are named, without failing, before they reach 600.
 */
import { join } from 'node:path';
import { formatFindings } from '../code/finding.ts';
import { readSourceTree } from '../code/source-tree.ts';
import { commentShares, longFiles } from './figures.ts';
import { readWorkspace } from './rule.ts';
import { RULES } from './rules.ts';

const workspace = readWorkspace(readSourceTree(join(import.meta.dirname, '..', '..')));
const findings = RULES.flatMap((rule) => rule.check(workspace));
if (findings.length > 0) console.log(formatFindings(findings));
for (const line of [...longFiles(workspace), ...commentShares(workspace)]) console.log(line);
console.log(`tidy: ${RULES.length} rules, ${workspace.sources.length} files, ${findings.length} findings`);
process.exitCode = findings.length > 0 || workspace.sources.length === 0 ? 1 : 0;
