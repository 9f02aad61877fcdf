/** `stella environment unfreeze <environment>` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { textView } from '../../view.ts';

type Change = Answer<'unfreezeEnvironment'>;

export const environmentUnfreeze: CommandSpec = {
  path: ['environment', 'unfreeze'],
  summary: 'End the freeze that an operator has set; promotions that wait for it go on',
  kind: 'write',
  positionals: [{ name: 'environment', summary: 'its name' }],
  options: [{ flags: '--reason <text>', summary: 'recorded with it' }],
  examples: ['stella environment unfreeze prod'],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const parameters = { environment: positional(positionals, 0) };
    const body = { reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    const answer = await client.call('unfreezeEnvironment', { parameters, body, idempotencyKey });
    show(textView({ name: answer.environment, data: answer, text: () => describe(answer) }));
    return undefined;
  },
};

function describe({ environment, version, freeze, dryRun }: Change): string {
  const lines = [`Environment  ${environment} ${dryRun ? 'would be' : 'is'} unfrozen, version ${version}`];
  if (freeze)
    lines.push(
      `Still        frozen as its definition plans until ${freeze.until ?? 'its next change'}: ${freeze.reason}`,
    );
  return lines.join('\n');
}
