/** `stella promotion cancel <promotion>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { promotionView } from './promotion-view.ts';

export const promotionCancel: CommandSpec = {
  path: ['promotion', 'cancel'],
  summary: 'Cancel a promotion; from deploy on, onFailure applies',
  kind: 'write',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [{ flags: '--reason <text>', summary: 'recorded with it' }],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const body = { reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    const parameters = { promotion: positional(positionals, 0) };
    show(promotionView(await client.call('cancelPromotion', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
