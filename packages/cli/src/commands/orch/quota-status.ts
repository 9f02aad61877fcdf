/** `stella orch quota status` */
import type { CommandSpec } from '../../command.ts';
import { textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { answerCommand, type Quota, resetText } from './quota-view.ts';

export const orchQuotaStatus: CommandSpec = {
  path: ['orch', 'quota', 'status'],
  summary: 'Quotas of environments: used, limit, who waits, when they are counted anew, who asked for more',
  kind: 'read',
  options: [{ flags: '--env <environment>', summary: 'only of this environment' }],
  examples: ['stella orch quota status --env prod'],
  async run({ connect, show, globals, terminal }, { options }) {
    const { client } = await connect();
    const environment = textOption(options, 'env');
    const answer = await client.call('listQuotas', { query: environment === undefined ? {} : { environment } });
    const rows = answer.items.filter((row) => row.limit !== null || row.request !== null);
    show(
      tableView<Quota>({
        rows,
        columns: [
          { title: 'ENVIRONMENT', value: (row) => row.environment },
          { title: 'QUOTA', value: (row) => row.name },
          { title: 'USED', value: (row) => `${row.used} of ${row.limit ?? 'any'}` },
          { title: 'WAITING', value: (row) => String(row.waiting) },
          { title: 'RESETS', value: resetText },
          { title: 'ASKED', value: (row) => (row.request ? `${row.request.wanted} by ${row.request.by}` : '-') },
          { title: 'REASON', value: (row) => row.request?.reason ?? '-', isWide: true },
          { title: 'ZONE', value: (row) => row.timeZone, isWide: true },
        ],
        nameOf: (row) => `${row.environment}/${row.name}`,
        data: answer,
        whenEmpty: 'no environment has a quota',
      }),
    );
    if (globals.isQuiet) return undefined;
    for (const row of rows.filter((one) => one.request !== null)) {
      terminal.err(`${row.request?.by ?? ''} asks: ${row.request?.reason ?? ''}; answer: ${answerCommand(row)}\n`);
    }
    return undefined;
  },
};
