/** `stella deploy --env <environment> --artifact <digest>`: one artifact, by a release that is made on the way. */
import type { CommandSpec } from '../command.ts';
import { isSet, requiredText, textOption, waitOption } from '../input.ts';
import { followToEnd } from './promotion/follow.ts';
import { promotionView } from './promotion/promotion-view.ts';

export const deploy: CommandSpec = {
  path: ['deploy'],
  summary: 'Deploy one artifact into an environment',
  kind: 'write',
  options: [
    { flags: '--env <environment>', summary: 'the environment', isRequired: true },
    { flags: '--artifact <artifact>', summary: 'digest of a known one, or a whole reference', isRequired: true },
    { flags: '--component <component>', summary: 'which component it is, where several run' },
    { flags: '--force', summary: 'past the predecessors; for operators, with a reason' },
    { flags: '--reason <text>', summary: 'recorded with it' },
    { flags: '--wait [timeout]', summary: 'follow it to its end' },
  ],
  examples: ['stella deploy --env prod --artifact sha256:0b6f… --force --reason "cure of the checkout"'],
  async run(context, { options }) {
    const wait = waitOption(options);
    const { client, idempotencyKey } = await context.connect();
    const { isDryRun, isQuiet } = context.globals;
    const component = textOption(options, 'component');
    const body = {
      environment: requiredText(options, 'env'),
      artifact: requiredText(options, 'artifact'),
      ...(component === undefined ? {} : { component }),
      isForced: isSet(options, 'force'),
      reason: textOption(options, 'reason') ?? '',
      dryRun: isDryRun,
    };
    const promotion = await client.call('deployArtifact', { body, idempotencyKey });
    if (wait !== undefined && !isDryRun) return followToEnd(context, promotion.id, wait);
    context.show(promotionView(promotion));
    if (!isQuiet && !isDryRun) context.terminal.err(`follow it: stella promotion status ${promotion.id} --watch\n`);
    return undefined;
  },
};
