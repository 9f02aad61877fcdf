/** `stella auth token mint`: for oneself, or for automation; the token goes to stdout, once. */
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption, textsOption } from '../../input.ts';
import { textView } from '../../view.ts';

export const authTokenMint: CommandSpec = {
  path: ['auth', 'token', 'mint'],
  summary: 'Mint a token for yourself, or for automation, which counts as you',
  kind: 'write',
  options: [
    { flags: '--name <name>', summary: 'what it is for', isRequired: true },
    { flags: '--expires-in <duration>', summary: 'at most 365d (30d)' },
    { flags: '--automation <name>', summary: 'for this automation' },
    { flags: '--role <role@environment...>', summary: 'of the automation; never more than you have' },
  ],
  examples: ['stella auth token mint --name ci --automation ci --role releaser@dev > ci.token'],
  async run({ connect, show, globals, terminal }, { options }) {
    const { client, idempotencyKey } = await connect();
    const body = {
      name: requiredText(options, 'name'),
      expiresIn: textOption(options, 'expiresIn') ?? '30d',
      automation: textOption(options, 'automation') ?? null,
      roles: [...textsOption(options, 'role')],
      dryRun: globals.isDryRun,
    };
    const minted = await client.call('mintToken', { body, idempotencyKey });
    if (!globals.isQuiet)
      terminal.err(`${minted.id} of ${minted.owner}, until ${minted.expiresAt}; it is shown only now\n`);
    const token = globals.isDryRun ? '' : minted.token;
    show(textView({ name: minted.id, data: { ...minted, token }, text: () => token }));
    return undefined;
  },
};
