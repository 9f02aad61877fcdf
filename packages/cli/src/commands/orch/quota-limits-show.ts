/** `stella orch quota limits show` */
import type { CommandSpec } from '../../command.ts';
import { requiredText } from '../../input.ts';
import { tableView } from '../../view.ts';
import type { Quota } from './quota-view.ts';

const shown = (limit: number | null): string => (limit === null ? '-' : String(limit));

export const orchQuotaLimitsShow: CommandSpec = {
  path: ['orch', 'quota', 'limits', 'show'],
  summary: 'Limits of an environment: in force, of its definition, and what was set over it',
  kind: 'read',
  options: [{ flags: '--env <environment>', summary: 'of this environment', isRequired: true }],
  async run({ connect, show }, { options }) {
    const { client } = await connect();
    const environment = requiredText(options, 'env');
    const answer = await client.call('listQuotas', { query: { environment } });
    show(
      tableView<Quota>({
        rows: answer.items,
        columns: [
          { title: 'QUOTA', value: (row) => row.name },
          { title: 'LIMIT', value: (row) => (row.limit === null ? 'none' : String(row.limit)) },
          { title: 'DEFINITION', value: (row) => shown(row.declared) },
          { title: 'SET', value: (row) => shown(row.set) },
          { title: 'BY', value: (row) => row.setBy ?? '-' },
          { title: 'ZONE', value: (row) => row.timeZone },
        ],
        nameOf: (row) => row.name,
        data: answer,
        whenEmpty: 'no quotas',
      }),
    );
    return undefined;
  },
};
