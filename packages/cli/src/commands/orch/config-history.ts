/** `stella orch config history <key>` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { countOption, positional, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { noteNextPage, PAGE_OPTIONS } from '../pages.ts';
import { relativeTo } from '../show-age.ts';

type Row = Answer<'listSettingChanges'>['items'][number];

export const orchConfigHistory: CommandSpec = {
  path: ['orch', 'config', 'history'],
  summary: 'Who changed a setting, newest first',
  kind: 'read',
  positionals: [{ name: 'key', summary: 'as orch config list shows it' }],
  options: PAGE_OPTIONS,
  async run(context, { positionals, options }) {
    const { client } = await context.connect();
    const page = await client.call('listSettingChanges', {
      parameters: { setting: positional(positionals, 0) },
      query: { limit: countOption(options, 'limit', { min: 1, max: 500 }), cursor: textOption(options, 'cursor') },
    });
    context.show(
      tableView<Row>({
        rows: page.items,
        columns: [
          { title: 'VERSION', value: (row) => String(row.version) },
          { title: 'VALUE', value: (row) => row.value ?? 'unset' },
          { title: 'CHANGED', value: (row, nowMs) => relativeTo(nowMs, row.changedAt) },
          { title: 'BY', value: (row) => row.changedBy.name },
          { title: 'REASON', value: (row) => row.reason },
        ],
        nameOf: (row) => String(row.version),
        data: page,
        whenEmpty: 'it was never changed',
      }),
    );
    noteNextPage(context, page.next);
    return undefined;
  },
};
