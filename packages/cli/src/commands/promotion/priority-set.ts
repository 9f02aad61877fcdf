/** `stella promotion priority set <promotion> <priority>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { parsePriority } from './parse-priority.ts';
import { promotionView } from './promotion-view.ts';

export const promotionPrioritySet: CommandSpec = {
  path: ['promotion', 'priority', 'set'],
  summary: 'Move a promotion within the queue of its environment, at once',
  kind: 'write',
  positionals: [
    { name: 'promotion', summary: 'its id, or the unique start of it' },
    { name: 'priority', summary: 'low, normal or high' },
  ],
  options: [{ flags: '--reason <text>', summary: 'recorded with it' }],
  examples: ['stella promotion priority set prm_01jd high --reason "fixes the outage"'],
  async run({ connect, show, globals }, { positionals, options }) {
    const priority = parsePriority(positional(positionals, 1));
    const { client, idempotencyKey } = await connect();
    const parameters = { promotion: positional(positionals, 0) };
    const body = { priority, reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    show(promotionView(await client.call('changePriority', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
