/** `stella auth token mint`: for oneself, or for automation; the token goes to stdout or into a 0600 file, once. */
import { resolve } from 'node:path';
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption, textsOption } from '../../input.ts';
import { writeSecretFile } from '../../output/secret-file.ts';
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
    { flags: '--to-file <path>', summary: 'a new file for it, 0600, instead of stdout' },
  ],
  examples: ['stella auth token mint --name ci --automation ci --role releaser@dev --to-file ci.token'],
  async run({ connect, show, globals, terminal }, { options }) {
    const { client, idempotencyKey } = await connect();
    const body = {
      name: requiredText(options, 'name'),
      expiresIn: textOption(options, 'expiresIn') ?? '30d',
      automation: textOption(options, 'automation') ?? null,
      roles: [...textsOption(options, 'role')],
      dryRun: globals.isDryRun,
    };
    const mint = (): Promise<Answer<'mintToken'>> => client.call('mintToken', { body, idempotencyKey });
    const path = textOption(options, 'toFile');
    const file = path === undefined || globals.isDryRun ? null : resolve(path);
    const minted =
      file === null ? await mint() : await writeSecretFile({ file, option: '--to-file' }, mint, ({ token }) => token);
    const place = file === null ? 'it is shown only now' : `it is in ${file}`;
    if (!globals.isQuiet) terminal.err(`${minted.id} of ${minted.owner}, until ${minted.expiresAt}; ${place}\n`);
    const token = globals.isDryRun || file !== null ? '' : minted.token;
    show(textView({ name: minted.id, data: { ...minted, token }, text: () => token }));
    return undefined;
  },
};
