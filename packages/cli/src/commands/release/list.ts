/** `stella release list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { countOption, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { noteNextPage, PAGE_OPTIONS } from '../pages.ts';
import { relativeTo } from '../show-age.ts';

type Row = Answer<'listReleases'>['items'][number];

export const releaseList: CommandSpec = {
  path: ['release', 'list'],
  summary: 'Releases, newest first',
  kind: 'read',
  options: PAGE_OPTIONS,
  async run(context, { options }) {
    const { client } = await context.connect();
    const query = { limit: countOption(options, 'limit', { min: 1, max: 500 }), cursor: textOption(options, 'cursor') };
    const page = await client.call('listReleases', { query });
    context.show(
      tableView<Row>({
        rows: page.items,
        columns: [
          { title: 'NAME', value: (row) => row.name },
          { title: 'COMPONENTS', value: (row) => row.components.map((one) => one.name).join(',') },
          { title: 'CREATED', value: (row, nowMs) => relativeTo(nowMs, row.createdAt) },
          { title: 'ID', value: (row) => row.id },
          { title: 'DIGESTS', value: (row) => row.components.map((one) => one.digest).join(','), isWide: true },
        ],
        nameOf: (row) => row.name,
        data: page,
        whenEmpty: 'no releases; make one: stella release create',
      }),
    );
    noteNextPage(context, page.next);
    return undefined;
  },
};
