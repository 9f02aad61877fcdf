/** `stella registry list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { tableView } from '../../view.ts';
import { ageOf } from '../show-age.ts';

type Row = Answer<'listRegistries'>['items'][number];

export const registryList: CommandSpec = {
  path: ['registry', 'list'],
  summary: 'Registries of artifacts, and who we are there',
  kind: 'read',
  async run({ connect, show }) {
    const { client } = await connect();
    const answer = await client.call('listRegistries');
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'REGISTRY', value: (row) => row.host },
          { title: 'LOGIN', value: (row) => row.username ?? (row.login === 'token' ? 'by token' : '-') },
          { title: 'SECRET', value: (row) => row.secret ?? '-' },
          { title: 'VERSION', value: (row) => String(row.version) },
          { title: 'APPLIED', value: (row, nowMs) => ageOf(nowMs, row.appliedAt) },
          { title: 'URL', value: (row) => row.url, isWide: true },
          { title: 'CA', value: (row) => row.ca ?? '-', isWide: true },
        ],
        nameOf: (row) => row.host,
        data: answer,
        whenEmpty: 'no registry; declare one with a document of kind Registry: stella apply -f <file>',
      }),
    );
    return undefined;
  },
};
