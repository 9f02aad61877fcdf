/** `stella notify deliveries` */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { countOption, isSet, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { ageOf, relativeTo } from '../show-age.ts';

type Row = Answer<'listDeliveries'>['items'][number];

const STATES = ['pending', 'delivered', 'dead'] as const;

export const notifyDeliveries: CommandSpec = {
  path: ['notify', 'deliveries'],
  summary: 'Messages to channels, newest first: delivered, pending, given up',
  kind: 'read',
  options: [
    { flags: '--failed', summary: 'only those that were given up' },
    { flags: '--state <state>', summary: 'only those in it', choices: STATES },
    { flags: '--channel <channel>', summary: 'only of this channel' },
    { flags: '--limit <count>', summary: 'at most so many, 50' },
  ],
  examples: ['stella notify deliveries --failed', 'stella notify deliveries --channel release-room -o wide'],
  async run({ connect, show }, { options }) {
    const wanted = textOption(options, 'state');
    if (isSet(options, 'failed') && wanted !== undefined) {
      throw new AppError('cli.usage', { details: { message: '--failed and --state exclude one another' } });
    }
    const state = isSet(options, 'failed') ? 'dead' : STATES.find((one) => one === wanted);
    const channel = textOption(options, 'channel');
    const limit = countOption(options, 'limit', { min: 1, max: 500 });
    const { client } = await connect();
    const answer = await client.call('listDeliveries', {
      query: {
        ...(state === undefined ? {} : { state }),
        ...(channel === undefined ? {} : { channel }),
        ...(limit === undefined ? {} : { limit }),
      },
    });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'ID', value: (row) => row.id },
          { title: 'CHANNEL', value: (row) => row.channel },
          { title: 'STATE', value: (row) => row.state },
          { title: 'TRIES', value: (row) => String(row.attempts) },
          { title: 'AGE', value: (row, nowMs) => ageOf(nowMs, row.createdAt) },
          { title: 'WHAT', value: (row) => row.type },
          { title: 'ANSWER', value: (row) => row.message || '-' },
          { title: 'NEXT', value: nextOf, isWide: true },
          { title: 'PROMOTION', value: (row) => row.promotionId, isWide: true },
          { title: 'SUMMARY', value: (row) => row.summary, isWide: true },
        ],
        nameOf: (row) => row.id,
        data: answer,
        whenEmpty: 'no message',
      }),
    );
    return undefined;
  },
};

function nextOf({ nextAttemptAt }: Row, nowMs: number): string {
  return nextAttemptAt === null ? '-' : relativeTo(nowMs, nextAttemptAt);
}
