/** `stella doctor` */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import { type CommandSpec, EXIT_CODES } from '../command.ts';
import { textOption } from '../input.ts';
import { tableView, textView } from '../view.ts';

type Result = Answer<'runDoctor'>['items'][number];

export const doctor: CommandSpec = {
  path: ['doctor'],
  summary: 'Looks whether all is well, and says what helps where it is not',
  kind: 'read',
  options: [
    { flags: '--check <id>', summary: 'only this one, with all that it saw' },
    { flags: '--category <category>', summary: 'only those of orchestrator or storage' },
    { flags: '--severity <severity>', summary: 'show only what is at least: pass, skip, warn or fail' },
    { flags: '--check-timeout <duration>', summary: 'of each check; 30s without' },
  ],
  examples: ['stella doctor', 'stella doctor --check check.orchestrator.job-health', 'stella doctor --severity warn'],
  async run(context, { options }) {
    const least = readSeverity(textOption(options, 'severity'));
    const { client } = await context.connect();
    const { check, category, checkTimeout } = options;
    const answer = await client.call('runDoctor', {
      query: {
        ...(typeof check === 'string' && { check }),
        ...(typeof category === 'string' && { category }),
        ...(typeof checkTimeout === 'string' && { timeout: checkTimeout }),
      },
    });
    const [only] = answer.items;
    if (typeof check === 'string' && only) {
      context.show(textView({ name: only.id, data: only, text: () => describe(only) }));
    } else context.show(listOf(answer.items.filter(({ status }) => SEVERITIES.indexOf(status) >= least)));
    return answer.items.some((one) => one.status === 'fail') ? EXIT_CODES.checkFailed : undefined;
  },
};

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
    whenEmpty: 'nothing of that severity',
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
