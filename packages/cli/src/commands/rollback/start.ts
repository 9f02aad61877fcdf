/** `stella rollback start --env <environment>`: brings back what ran there before. */
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption, waitOption } from '../../input.ts';
import { followToEnd } from '../promotion/follow.ts';
import { promotionView } from '../promotion/promotion-view.ts';

export const rollbackStart: CommandSpec = {
  path: ['rollback', 'start'],
  summary: 'Bring back a release that completed in the environment before',
  kind: 'write',
  options: [
    { flags: '--env <environment>', summary: 'the environment', isRequired: true },
    { flags: '--to <release>', summary: 'its name or id (the one that completed before the current one)' },
    { flags: '--reason <text>', summary: 'recorded with it' },
    { flags: '--wait [timeout]', summary: 'follow it to its end' },
  ],
  examples: ['stella rollback start --env prod --reason "checkout answers 500"'],
  async run(context, { options }) {
    const wait = waitOption(options);
    const { client, idempotencyKey } = await context.connect();
    const { isDryRun, isQuiet } = context.globals;
    const release = textOption(options, 'to');
    const body = {
      environment: requiredText(options, 'env'),
      ...(release === undefined ? {} : { release }),
      reason: textOption(options, 'reason') ?? '',
      dryRun: isDryRun,
    };
    const rollback = await client.call('startRollback', { body, idempotencyKey });
    if (wait !== undefined && !isDryRun) return followToEnd(context, rollback.id, wait);
    context.show(promotionView(rollback));
    if (!isQuiet && !isDryRun) context.terminal.err(`follow it: stella rollback status ${rollback.id} --watch\n`);
    return undefined;
  },
};
