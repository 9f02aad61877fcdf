/** `stella notify list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { tableView } from '../../view.ts';
import { ageOf } from '../show-age.ts';

type Row = Answer<'listChannels'>['items'][number];

export const notifyList: CommandSpec = {
  path: ['notify', 'list'],
  summary: 'Channels by which people hear of promotions, and whether they do',
  kind: 'read',
  async run({ connect, show }) {
    const { client } = await connect();
    const answer = await client.call('listChannels');
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'CHANNEL', value: (row) => row.name },
          { title: 'KIND', value: (row) => row.kind },
          { title: 'ENVIRONMENTS', value: (row) => row.environments.join(' ') },
          { title: 'PENDING', value: (row) => String(row.pending) },
          { title: 'DEAD', value: (row) => String(row.dead) },
          { title: 'DELIVERED', value: (row, nowMs) => ageOf(nowMs, row.lastDeliveredAt) },
          { title: 'FAILURE', value: (row) => row.lastFailure || '-' },
          { title: 'WHERE', value: (row) => row.where, isWide: true },
          { title: 'EVENTS', value: (row) => row.events.join(' '), isWide: true },
          { title: 'VERSION', value: (row) => String(row.version), isWide: true },
        ],
        nameOf: (row) => row.name,
        data: answer,
        whenEmpty: 'no channel; declare one with a document of kind Notification: stella apply -f <file>',
      }),
    );
    return undefined;
  },
};
