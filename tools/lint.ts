/**
 * `npm run lint`: oxlint with types, then the borders. Prints one line per finding as `path:line rule: message; remedy`
 * and exits 1 when there is one. Arguments: `--root <directory>` checks the borders of another tree (tests use it).
 */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type Finding, formatFindings } from './code/finding.ts';
import { readSourceTree } from './code/source-tree.ts';
import { checkBorders } from './lint/check-borders.ts';
import { parseOxlintReport } from './lint/oxlint-report.ts';

/** A lint of the whole tree takes 3 s here; a hanging one must not hang the tests. */
const OXLINT_TIMEOUT_MS = 120_000;
/** Report of oxlint in bytes: some hundred bytes per finding. */
const REPORT_BYTES_MAX = 64 * 1024 * 1024;

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { root: { type: 'string' } } });
const borders = checkBorders(readSourceTree(values.root ?? root));
const findings = [...(values.root === undefined ? runOxlint() : []), ...borders.findings];
if (findings.length > 0) console.log(formatFindings(findings));
if (borders.fileCount === 0) console.log('no file was checked; run it from the root of the repository');
console.log(`lint: ${borders.fileCount} files, ${borders.importCount} imports, ${findings.length} findings`);
process.exitCode = findings.length > 0 || borders.fileCount === 0 ? 1 : 0;

function runOxlint(): readonly Finding[] {
  const program = join(root, 'node_modules', '.bin', 'oxlint');
  const run = spawnSync(program, ['--type-aware', '--format', 'json', '.'], {
    cwd: root,
    encoding: 'utf8',
    timeout: OXLINT_TIMEOUT_MS,
    maxBuffer: REPORT_BYTES_MAX,
  });
  if (run.error !== undefined) throw new Error(`oxlint did not run: ${run.error.message}`, { cause: run.error });
  const report = parseOxlintReport(run.stdout, (path) => relative(root, join(root, path)));
  // Exit 0 without a report, or with no file seen, would be a lint that passes because it did nothing.
  if (report.fileCount === 0) throw new Error(`oxlint checked no file: ${run.stderr.slice(0, 2_000)}`);
  if (run.status !== 0 && report.findings.length === 0) throw new Error(`oxlint failed: ${run.stderr.slice(0, 2_000)}`);
  return report.findings;
}
