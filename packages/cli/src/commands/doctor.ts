/** `stella doctor` */
import type { Answer } from '@stella/contract/client';
import { AppError, type ErrorCode, isAppError } from '@stella/domain/client';
import { type CommandContext, type CommandInput, type CommandSpec, EXIT_CODES } from '../command.ts';
import { isSet, textOption } from '../input.ts';
import { tableView, textView } from '../view.ts';

type Answered = Answer<'runDoctor'>['items'][number];
type Result = Omit<Answered, 'facts'> & { readonly facts: readonly Answered['facts'][number][] };

export const doctor: CommandSpec = {
  path: ['doctor'],
  summary: 'Looks whether all is well, and says what helps where it is not',
  kind: 'read',
  options: [
    { flags: '--check <id>', summary: 'only this one, with all that it saw, or all below it: check.network.prod' },
    { flags: '--category <category>', summary: 'only those of orchestrator, targets, storage, network or config' },
    { flags: '--severity <severity>', summary: 'show only what is at least: pass, skip, warn or fail' },
    { flags: '--check-timeout <duration>', summary: 'of each check; 30s without' },
    { flags: '--offline', summary: 'without the orchestrator: from its database and the processes of this machine' },
    { flags: '--data-dir <directory>', summary: 'with --offline: where the orchestrator keeps its data' },
    { flags: '--database-url <url>', summary: 'with --offline: its database; better in STELLA_DATABASE_URL' },
  ],
  examples: [
    'stella doctor',
    'stella doctor --check check.orchestrator.job-health',
    'stella doctor --severity warn',
    'stella doctor --offline',
  ],
  async run(context, { options }) {
    const least = readSeverity(textOption(options, 'severity'));
    const items = isSet(options, 'offline')
      ? await (await import('./service/examine-this-machine.ts')).examineThisMachine(context, options)
      : await askServer(context, options);
    const [only] = items;
    if (textOption(options, 'check') !== undefined && only && items.length === 1) {
      context.show(textView({ name: only.id, data: only, text: () => describe(only) }));
    } else context.show(listOf(items.filter(({ status }) => SEVERITIES.indexOf(status) >= least)));
    return items.some((one) => one.status === 'fail') ? EXIT_CODES.checkFailed : undefined;
  },
};

async function askServer(context: CommandContext, options: CommandInput['options']): Promise<readonly Result[]> {
  const { check, category, checkTimeout, dataDir, databaseUrl } = options;
  if (dataDir !== undefined || databaseUrl !== undefined) {
    throw new AppError('cli.usage', { details: { message: '--data-dir and --database-url are for --offline' } });
  }
  const query = {
    ...(typeof check === 'string' && { check }),
    ...(typeof category === 'string' && { category }),
    ...(typeof checkTimeout === 'string' && { timeout: checkTimeout }),
  };
  try {
    const { client } = await context.connect();
    return (await client.call('runDoctor', { query })).items;
  } catch (error) {
    throw withWayOut(error);
  }
}

const WITHOUT_ANSWER: ReadonlySet<ErrorCode> = new Set([
  'server.unreachable',
  'request.timeout',
  'database.unavailable',
]);

/** Whoever asks the doctor wants to know more than that nobody answers. A hint about a certificate says more. */
function withWayOut(error: unknown): unknown {
  if (!isAppError(error) || !WITHOUT_ANSWER.has(error.code) || error.hint.includes('certificate')) return error;
  const hint = 'look without it, on its machine: stella doctor --offline';
  return new AppError(error.code, { details: error.details, hint, cause: error });
}

/** From harmless to bad. */
const SEVERITIES: readonly Result['status'][] = ['pass', 'skip', 'warn', 'fail'];

/** Its place in `SEVERITIES`. Errors: `cli.usage`. */
function readSeverity(value: string | undefined): number {
  if (value === undefined) return 0;
  const found = SEVERITIES.findIndex((severity) => severity === value);
  if (found >= 0) return found;
  const message = `"${value}" is no severity; known: ${SEVERITIES.join(', ')}`;
  throw new AppError('cli.usage', { details: { message } });
}

function listOf(items: readonly Result[]): ReturnType<typeof tableView> {
  return tableView<Result>({
    rows: items,
    columns: [
      { title: 'STATUS', value: (row) => row.status },
      { title: 'CHECK', value: (row) => row.id },
      { title: 'MESSAGE', value: (row) => row.message },
      { title: 'HELPS', value: (row) => row.remedy?.command ?? row.remedy?.text ?? '-' },
      { title: 'WHY', value: (row) => row.why, isWide: true },
    ],
    nameOf: (row) => row.id,
    whenEmpty: 'nothing of that kind and severity',
  });
}

function describe({ id, title, status, message, facts, why, remedy }: Result): string {
  const lines = [
    `Check    ${id}: ${title}`,
    `Status   ${status}: ${message}`,
    ...facts.map(({ what, value }) => `Fact     ${what}: ${value}`),
    `Why      ${why}`,
  ];
  if (remedy) lines.push(`Helps    ${remedy.text}`);
  if (remedy?.command) lines.push(`Try      ${remedy.command}`);
  return lines.join('\n');
}
