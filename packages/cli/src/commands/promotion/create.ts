/** `stella promotion create`: starts to promote a release into an environment; with `--wait` follows it to its end. */
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption, waitOption } from '../../input.ts';
import { followToEnd } from './follow.ts';
import { parsePriority } from './parse-priority.ts';
import { promotionView } from './promotion-view.ts';

export const promotionCreate: CommandSpec = {
  path: ['promotion', 'create'],
  summary: 'Promote a release into an environment',
  kind: 'write',
  options: [
    { flags: '--release <release>', summary: 'its name or id', isRequired: true },
    { flags: '--to <environment>', summary: 'the environment', isRequired: true },
    { flags: '--priority <priority>', summary: 'low, normal or high (normal)' },
    { flags: '--reason <text>', summary: 'recorded with it' },
    { flags: '--wait [timeout]', summary: 'follow it to its end' },
  ],
  examples: ['stella promotion create --release shop-2.4.1 --to prod --wait 30m'],
  async run(context, { options }) {
    const wait = waitOption(options);
    const { client, idempotencyKey } = await context.connect();
    const body = {
      release: requiredText(options, 'release'),
      environment: requiredText(options, 'to'),
      priority: parsePriority(textOption(options, 'priority') ?? 'normal'),
      reason: textOption(options, 'reason') ?? '',
      dryRun: context.globals.isDryRun,
    };
    const promotion = await client.call('createPromotion', { body, idempotencyKey });
    if (wait !== undefined && !context.globals.isDryRun) return followToEnd(context, promotion.id, wait);
    context.show(promotionView(promotion));
    if (!context.globals.isQuiet && !context.globals.isDryRun) {
      context.terminal.err(`follow it: stella promotion status ${promotion.id} --watch\n`);
    }
    return undefined;
  },
};
