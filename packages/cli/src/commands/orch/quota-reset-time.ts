/** `stella orch quota reset-time` */
import type { CommandSpec } from '../../command.ts';
import { requiredText } from '../../input.ts';
import { tableView } from '../../view.ts';
import { type Quota, resetText } from './quota-view.ts';

export const orchQuotaResetTime: CommandSpec = {
  path: ['orch', 'quota', 'reset-time'],
  summary: 'When the starts of an environment are counted anew',
  kind: 'read',
  options: [{ flags: '--env <environment>', summary: 'of this environment', isRequired: true }],
  async run({ connect, show }, { options }) {
    const { client } = await connect();
    const answer = await client.call('listQuotas', { query: { environment: requiredText(options, 'env') } });
    show(
      tableView<Quota>({
        rows: answer.items.filter((row) => row.limit !== null),
        columns: [
          { title: 'QUOTA', value: (row) => row.name },
          { title: 'RESETS', value: resetText },
          { title: 'AT', value: (row) => row.resetsAt ?? '-' },
          { title: 'ZONE', value: (row) => row.timeZone },
        ],
        nameOf: (row) => row.name,
        data: answer,
        whenEmpty: 'the environment has no quota',
      }),
    );
    return undefined;
  },
};
