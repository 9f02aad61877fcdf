/** `stella promotion approve <promotion>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { promotionView } from './promotion-view.ts';

export const promotionApprove: CommandSpec = {
  path: ['promotion', 'approve'],
  summary: 'Approve at an approval gate, or a skip of a gate',
  kind: 'write',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [
    { flags: '--gate <gate>', summary: 'which one, when several wait' },
    { flags: '--skip <gate>', summary: 'the skip of this gate, asked for by another person' },
    { flags: '--reason <text>', summary: 'recorded with it' },
  ],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const gate = textOption(options, 'gate');
    const skip = textOption(options, 'skip');
    const body = {
      ...(gate === undefined ? {} : { gate }),
      ...(skip === undefined ? {} : { skip }),
      reason: textOption(options, 'reason') ?? '',
      dryRun: globals.isDryRun,
    };
    const parameters = { promotion: positional(positionals, 0) };
    show(promotionView(await client.call('approvePromotion', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
