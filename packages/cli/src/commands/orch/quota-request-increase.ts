/** `stella orch quota request-increase` */
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText } from '../../input.ts';
import { textView } from '../../view.ts';
import { flagOf, limitOptions, limitsIn } from './quota-view.ts';

export const orchQuotaRequestIncrease: CommandSpec = {
  path: ['orch', 'quota', 'request-increase'],
  summary: 'Ask whoever may to raise a limit; quota status shows it until the limit is set',
  kind: 'write',
  options: [
    { flags: '--env <environment>', summary: 'of this environment', isRequired: true },
    ...limitOptions('wanted'),
    { flags: '--reason <text>', summary: 'why; shown to whoever answers', isRequired: true },
  ],
  examples: ['stella orch quota request-increase --env prod --per-day 30 --reason "release day"'],
  async run({ connect, show, globals }, { options }) {
    const [wish, ...others] = limitsIn(options, { mayUnset: false });
    if (!wish || wish.limit === null || others.length > 0) {
      const message = 'name one limit: --per-hour, --per-day or --in-progress, with the number that you want';
      throw new AppError('cli.usage', { details: { message } });
    }
    const { name, limit: wanted } = wish;
    const parameters = { environment: requiredText(options, 'env') };
    const body = { name, wanted, reason: requiredText(options, 'reason'), dryRun: globals.isDryRun };
    const { client, idempotencyKey } = await connect();
    const answer = await client.call('requestQuota', { parameters, body, idempotencyKey });
    const { environment, dryRun } = answer;
    const lines = [
      `${environment} ${name}: ${dryRun ? 'would ask' : 'asked'} for ${wanted}`,
      'Nothing changes until an operator answers:',
      `stella orch quota limits set --env ${environment} ${flagOf(name)} ${wanted}`,
    ];
    show(textView({ name: environment, data: answer, text: () => lines.join('\n') }));
    return undefined;
  },
};
