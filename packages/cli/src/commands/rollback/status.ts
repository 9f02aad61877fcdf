/** `stella rollback status <promotion>`: where a rollback stands, and which target runs what by now. */
import type { CommandSpec } from '../../command.ts';
import { isSet, positional, waitOption } from '../../input.ts';
import { followToEnd, watchStatus } from '../promotion/follow.ts';
import { refuseOthers } from './refuse-others.ts';
import { rollbackView } from './rollback-view.ts';

export const rollbackStatus: CommandSpec = {
  path: ['rollback', 'status'],
  summary: 'Where a rollback stands, and what each target runs by now',
  kind: 'read',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [
    { flags: '--watch', summary: 'stay and show each change' },
    { flags: '--wait [timeout]', summary: 'until its end; exit 7 when it is not completed, 8 when time ran out' },
  ],
  examples: ['stella rollback status prm_01jd'],
  async run(context, { positionals, options }) {
    const id = positional(positionals, 0);
    const { client } = await context.connect();
    const promotion = await client.call('getPromotion', { parameters: { promotion: id } });
    refuseOthers(promotion);
    const wait = waitOption(options);
    if (wait !== undefined) return followToEnd(context, id, wait);
    if (isSet(options, 'watch')) return watchStatus(context, id);
    context.show(rollbackView(promotion));
    return undefined;
  },
};
