/** `stella orch logs --promotion <promotion> [--gate <gate>]`: what happened, by time, and what that covers. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';

type Row = Answer<'getPromotionLog'>['items'][number];

export const orchLogs: CommandSpec = {
  path: ['orch', 'logs'],
  summary: 'Attempts, events and log lines of a promotion, by time',
  kind: 'read',
  options: [
    { flags: '--promotion <promotion>', summary: 'its id, or the unique start of it', isRequired: true },
    { flags: '--gate <gate>', summary: 'only what is about this gate' },
  ],
  examples: ['stella orch logs --gate change-ticket --promotion prm_01jd'],
  async run({ connect, show, terminal, globals }, { options }) {
    const { client } = await connect();
    const answer = await client.call('getPromotionLog', {
      parameters: { promotion: requiredText(options, 'promotion') },
      query: { gate: textOption(options, 'gate') },
    });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'TIME', value: (row) => row.at },
          { title: 'FROM', value: (row) => row.source },
          { title: 'MESSAGE', value: (row) => row.message },
        ],
        nameOf: (row) => row.at,
        data: answer,
        whenEmpty: 'nothing is known about it',
      }),
    );
    if (!globals.isQuiet) for (const covered of answer.covers) terminal.err(`covers ${covered}\n`);
    return undefined;
  },
};
