/** `stella orch quota limits set` */
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption } from '../../input.ts';
import { textView } from '../../view.ts';
import { limitOptions, limitsIn } from './quota-view.ts';

export const orchQuotaLimitsSet: CommandSpec = {
  path: ['orch', 'quota', 'limits', 'set'],
  summary: 'Change limits of an environment: effective at once for everybody who waits, and the answer to who asked',
  kind: 'write',
  options: [
    { flags: '--env <environment>', summary: 'of this environment', isRequired: true },
    ...limitOptions('limit'),
    { flags: '--reason <text>', summary: 'recorded with it' },
  ],
  examples: [
    'stella orch quota limits set --env prod --per-day 30 --reason "release day"',
    'stella orch quota limits set --env prod --per-day default',
  ],
  async run({ connect, show, globals }, { options }) {
    const limits = limitsIn(options, { mayUnset: true });
    if (limits.length === 0) {
      const message = 'name a limit: --per-hour, --per-day or --in-progress, with a number or "default"';
      throw new AppError('cli.usage', { details: { message } });
    }
    const parameters = { environment: requiredText(options, 'env') };
    const { client, idempotencyKey } = await connect();
    const body = {
      limits: Object.fromEntries(limits.map(({ name, limit }) => [name, limit])),
      reason: textOption(options, 'reason') ?? '',
      dryRun: globals.isDryRun,
    };
    const answer = await client.call('changeQuotas', { parameters, body, idempotencyKey });
    const shown = (limit: number | null): string => (limit === null ? 'no limit' : String(limit));
    const text = answer.limits
      .map(({ name, from, to }) => `${answer.environment} ${name}: ${shown(from)} → ${shown(to)}`)
      .join('\n');
    const note = answer.dryRun ? '\n(dry run: nothing was changed)' : '';
    show(textView({ name: answer.environment, data: answer, text: () => `${text}${note}` }));
    return undefined;
  },
};
