/** `stella apply -f <file|dir>`: shows what would change, then changes all of it or nothing. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../command.ts';
import { isSet, textsOption } from '../input.ts';
import { tableView } from '../view.ts';

type Change = Answer<'applyDefinitions'>['changes'][number];

const FILES_MAX = 200;
const FILE_BYTES_MAX = 1_048_576;

export const apply: CommandSpec = {
  path: ['apply'],
  summary: 'Apply environments from YAML files: all of them or none',
  kind: 'write',
  options: [
    { flags: '-f, --file <path...>', summary: 'a file, a directory of *.yaml, or - for stdin', isRequired: true },
    { flags: '--prune', summary: 'remove environments that the files do not name' },
  ],
  examples: ['stella apply -f environments/ --dry-run', 'stella apply -f environments/'],
  async run({ connect, show, globals, terminal }, { options }) {
    const documents = textsOption(options, 'file').flatMap(readDocuments);
    const prune = isSet(options, 'prune');
    const { client, idempotencyKey } = await connect();
    const asked = { documents, prune };
    const plan = await client.call('applyDefinitions', { body: { ...asked, dryRun: true } });
    if (!globals.isQuiet) terminal.err(describe(plan.changes));
    refuseUnconfirmed(plan.changes, globals.isConfirmed);
    const answer = globals.isDryRun ? plan : await client.call('applyDefinitions', { body: asked, idempotencyKey });
    show(
      tableView<Change>({
        rows: answer.changes,
        columns: [
          { title: 'ENVIRONMENT', value: (row) => row.environment },
          { title: 'CHANGE', value: (row) => (globals.isDryRun ? `would be ${row.change}` : row.change) },
          { title: 'VERSION', value: (row) => (row.version === null ? '-' : String(row.version)) },
        ],
        nameOf: (row) => row.environment,
        data: answer,
        whenEmpty: 'the files hold no environment',
      }),
    );
    return undefined;
  },
};

function describe(changes: readonly Change[]): string {
  return changes
    .map(({ environment, differences, overrides }) => ({ environment, lines: [...differences, ...overrides] }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ environment, lines }) => `${environment}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    .join('');
}

/** What goes away is not brought back by a second apply: somebody must have meant it. */
function refuseUnconfirmed(changes: readonly Change[], isConfirmed: boolean): void {
  const removed = changes.filter((change) => change.change === 'removed').map((change) => change.environment);
  if (removed.length === 0 || isConfirmed) return;
  throw new AppError('cli.confirmation', { details: { what: `removing ${removed.join(', ')}` } });
}

function readDocuments(path: string): { file: string; text: string }[] {
  if (path === '-') return [{ file: 'stdin', text: readFileSync(0, 'utf8') }];
  try {
    if (!statSync(path).isDirectory()) return [readDocument(path)];
    const names = readdirSync(path).filter((name) => /\.ya?ml$/.test(name));
    if (names.length > FILES_MAX) throw usage(`${path} holds more than ${FILES_MAX} files`);
    if (names.length === 0) throw usage(`${path} holds no *.yaml`);
    return names.sort().map((name) => readDocument(join(path, name)));
  } catch (error) {
    if (error instanceof AppError) throw error;
    // Node's own errors have a code.
    const { code } = error as NodeJS.ErrnoException;
    throw usage(code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read (${code ?? 'unknown error'})`);
  }
}

function readDocument(file: string): { file: string; text: string } {
  if (statSync(file).size > FILE_BYTES_MAX) throw usage(`${file} is larger than ${FILE_BYTES_MAX} bytes`);
  return { file, text: readFileSync(file, 'utf8') };
}

function usage(message: string): AppError {
  return new AppError('cli.usage', { details: { message } });
}
