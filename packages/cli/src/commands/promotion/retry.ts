/** `stella promotion retry <promotion>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { promotionView } from './promotion-view.ts';

export const promotionRetry: CommandSpec = {
  path: ['promotion', 'retry'],
  summary: 'Give the failed part a new attempt; of an ended promotion, make a new one',
  kind: 'write',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [{ flags: '--reason <text>', summary: 'recorded with it' }],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const body = { reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    const parameters = { promotion: positional(positionals, 0) };
    show(promotionView(await client.call('retryPromotion', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
