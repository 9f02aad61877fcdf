/** `stella promotion reject <promotion>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { promotionView } from './promotion-view.ts';

export const promotionReject: CommandSpec = {
  path: ['promotion', 'reject'],
  summary: 'Reject at an approval gate: it ends; or only a skip',
  kind: 'write',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [
    { flags: '--gate <gate>', summary: 'which one, when several wait' },
    { flags: '--skip <gate>', summary: 'only the skip of this gate: the promotion goes on without it' },
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
    show(promotionView(await client.call('rejectPromotion', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
