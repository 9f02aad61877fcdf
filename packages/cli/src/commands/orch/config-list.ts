/** `stella orch config list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { tableView } from '../../view.ts';
import { describeBudget, rangeOf } from './setting-view.ts';

type Row = Answer<'listSettings'>['items'][number];

export const orchConfigList: CommandSpec = {
  path: ['orch', 'config', 'list'],
  summary: 'Settings with their values, ranges and where they come from',
  kind: 'read',
  async run(context) {
    const { client } = await context.connect();
    const list = await client.call('listSettings');
    context.show(
      tableView<Row>({
        rows: list.items,
        columns: [
          { title: 'KEY', value: (row) => row.key },
          { title: 'VALUE', value: (row) => row.value ?? '-' },
          { title: 'SOURCE', value: (row) => row.source },
          { title: 'RANGE', value: rangeOf },
          { title: 'DEFAULT', value: (row) => row.default ?? '-', isWide: true },
          { title: 'PURPOSE', value: (row) => row.purpose, isWide: true },
        ],
        nameOf: (row) => row.key,
        data: list,
        whenEmpty: 'no settings',
      }),
    );
    const { output, isQuiet } = context.globals;
    const isForPeople = output === 'table' || output === 'wide';
    // Beside the data: a program finds it in there.
    if (isForPeople && !isQuiet)
      for (const budget of list.timeBudgets) context.terminal.err(`${describeBudget(budget)}\n`);
    return undefined;
  },
};
