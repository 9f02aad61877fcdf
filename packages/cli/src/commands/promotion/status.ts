/** `stella promotion status <promotion>` */
import type { CommandSpec } from '../../command.ts';
import { isSet, positional, waitOption } from '../../input.ts';
import { followToEnd, watchStatus } from './follow.ts';
import { statusView } from './promotion-view.ts';

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const promotionStatus: CommandSpec = {
  path: ['promotion', 'status'],
  summary: 'Where a promotion stands, what it waits for, what may be done',
  kind: 'read',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [
    { flags: '--watch', summary: 'stay and show each change' },
    { flags: '--wait [timeout]', summary: 'until its end; exit 7 when it is not completed, 8 when time ran out' },
  ],
  examples: ['stella promotion status prm_01jd'],
  async run(context, { positionals, options }) {
    const id = positional(positionals, 0);
    const wait = waitOption(options);
    if (wait !== undefined) return followToEnd(context, id, wait);
    if (isSet(options, 'watch')) return watchStatus(context, id);
    const { client } = await context.connect();
    const parameters = { promotion: id };
    // Side by side; a failed diagnosis must not hide where the promotion stands.
    const asked = client.call('diagnosePromotion', { parameters }).catch(messageOf);
    const promotion = await client.call('getPromotion', { parameters });
    context.show(statusView(promotion, await asked));
    return undefined;
  },
};
