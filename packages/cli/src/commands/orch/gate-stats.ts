/** `stella orch gate stats --gate <gate>`: how its service has answered of late. */
import type { Answer } from '@stella/contract/client';
import { formatDuration } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption } from '../../input.ts';
import { type Column, tableView } from '../../view.ts';

type Row = Answer<'getGateStats'>['items'][number];

export const orchGateStats: CommandSpec = {
  path: ['orch', 'gate', 'stats'],
  summary: 'Attempts at a gate of late: outcomes, times, time-out rate',
  kind: 'read',
  options: [
    { flags: '--gate <gate>', summary: 'its name', isRequired: true },
    { flags: '--env <environment>', summary: 'only there' },
    { flags: '--last <duration>', summary: 'attempts that began within it (1h)' },
  ],
  examples: ['stella orch gate stats --gate change-ticket --last 1h'],
  async run({ connect, show, terminal }, { options }) {
    const { client } = await connect();
    const answer = await client.call('getGateStats', {
      parameters: { gate: requiredText(options, 'gate') },
      query: { environment: textOption(options, 'env'), last: textOption(options, 'last') },
    });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'ENV', value: (row) => row.environment },
          { title: 'ATTEMPTS', value: (row) => String(row.attemptCount) },
          { title: 'PASSED', value: (row) => String(row.passedCount) },
          { title: 'FAILED', value: (row) => String(row.failedCount) },
          { title: 'TIMEOUT', value: timeoutsOf },
          { title: 'ERROR', value: (row) => String(row.errorCount) },
          ...TIME_COLUMNS,
        ],
        nameOf: (row) => `${row.environment}/${row.gate}`,
        data: answer,
        whenEmpty: 'no environment has it',
      }),
    );
    if (answer.items.some((row) => row.isCut)) terminal.err('only the newest attempts of the window were looked at\n');
    return undefined;
  },
};

/** Beside each other: what is measured and what is promised. */
const TIME_COLUMNS: readonly Column<Row>[] = [
  { title: 'P50', value: (row) => timeOf(row.p50Ms) },
  { title: 'P95', value: (row) => timeOf(row.p95Ms) },
  { title: 'MAX', value: (row) => timeOf(row.maxMs) },
  { title: 'SLA', value: (row) => timeOf(row.slaMs) },
];

/** `3 (12%)` */
export function timeoutsOf({ timeoutCount, timeoutRate }: Row): string {
  return timeoutCount === 0 ? '0' : `${timeoutCount} (${Math.round(timeoutRate * 100)}%)`;
}

export function timeOf(durationMs: number | null): string {
  return durationMs === null ? '-' : formatDuration(durationMs);
}
