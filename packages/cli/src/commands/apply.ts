/** `stella apply -f <file|dir>`: shows what would change, then changes all of it or nothing. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../command.ts';
import { isSet, textsOption } from '../input.ts';
import { tableView } from '../view.ts';

type Applied = Answer<'applyDefinitions'>;

/** Of an environment, a channel or a registry. */
interface Change {
  readonly kind: 'environment' | 'notification' | 'registry';
  readonly name: string;
  readonly change: Applied['changes'][number]['change'];
  readonly version: number | null;
  readonly differences: readonly string[];
  /** Settings that beat the definition. */
  readonly overrides: readonly string[];
}

/** As documents say what they are. */
const KINDS = ['Environment', 'Notification', 'Registry'] as const;

const FILES_MAX = 200;
const FILE_BYTES_MAX = 1_048_576;

export const apply: CommandSpec = {
  path: ['apply'],
  summary: 'Apply environments, channels and registries from YAML: all or none',
  kind: 'write',
  options: [
    { flags: '-f, --file <path...>', summary: 'a file, a directory of *.yaml, or - for stdin', isRequired: true },
    { flags: '--prune', summary: 'remove what the files do not name, of the kinds that they hold' },
    { flags: '--prune-kind <kind...>', summary: 'also of this kind: Environment, Notification or Registry' },
  ],
  examples: ['stella apply -f environments/ --dry-run', 'stella apply -f environments/'],
  async run({ connect, show, globals, terminal }, { options }) {
    const documents = textsOption(options, 'file').flatMap(readDocuments);
    const prune = isSet(options, 'prune');
    const pruneKinds = textsOption(options, 'pruneKind').map(parseKind);
    const { client, idempotencyKey } = await connect();
    const asked = { documents, prune, pruneKinds };
    const plan = await client.call('applyDefinitions', { body: { ...asked, dryRun: true } });
    const planned = changesOf(plan);
    if (!globals.isQuiet) terminal.err(describe(planned));
    refuseUnconfirmed(planned, globals.isConfirmed);
    const answer = globals.isDryRun ? plan : await client.call('applyDefinitions', { body: asked, idempotencyKey });
    show(
      tableView<Change>({
        rows: changesOf(answer),
        columns: [
          // Most files hold environments alone.
          ...(answer.channels.length + answer.registries.length === 0
            ? [{ title: 'ENVIRONMENT', value: (row: Change) => row.name }]
            : [
                { title: 'KIND', value: (row: Change) => row.kind },
                { title: 'NAME', value: (row: Change) => row.name },
              ]),
          { title: 'CHANGE', value: (row) => (globals.isDryRun ? `would be ${row.change}` : row.change) },
          { title: 'VERSION', value: (row) => (row.version === null ? '-' : String(row.version)) },
        ],
        nameOf: (row) => row.name,
        data: answer,
        whenEmpty: 'the files hold nothing',
      }),
    );
    return undefined;
  },
};

function parseKind(text: string): (typeof KINDS)[number] {
  const kind = KINDS.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw usage(`--prune-kind is one of ${KINDS.join(', ')}, not "${text}"`);
}

function changesOf({ changes, channels, registries }: Applied): readonly Change[] {
  return [
    ...changes.map(({ environment, ...rest }): Change => ({ kind: 'environment', name: environment, ...rest })),
    ...channels.map(
      ({ channel, ...rest }): Change => ({ kind: 'notification', name: channel, overrides: [], ...rest }),
    ),
    ...registries.map(
      ({ registry, ...rest }): Change => ({ kind: 'registry', name: registry, overrides: [], ...rest }),
    ),
  ];
}

function describe(changes: readonly Change[]): string {
  return changes
    .map(({ name, differences, overrides }) => ({ name, lines: [...differences, ...overrides] }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ name, lines }) => `${name}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    .join('');
}

/** What goes away is not brought back by a second apply: somebody must have meant it. */
function refuseUnconfirmed(changes: readonly Change[], isConfirmed: boolean): void {
  const removed = changes.filter((change) => change.change === 'removed').map((change) => change.name);
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
