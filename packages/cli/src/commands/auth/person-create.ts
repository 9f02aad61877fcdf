/** `stella auth person create <subject> --role <role>@<env>`: enrols a person with a one-time code in a 0600 file. */
import { resolve } from 'node:path';
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { positional, textOption, textsOption } from '../../input.ts';
import { writeSecretFile } from '../../output/secret-file.ts';
import { textView } from '../../view.ts';

export const authPersonCreate: CommandSpec = {
  path: ['auth', 'person', 'create'],
  summary: 'Enrol a person with a one-time code',
  kind: 'write',
  positionals: [{ name: 'subject', summary: 'who it is: alice, bob@example.org' }],
  options: [
    {
      flags: '--role <role@environment...>',
      summary: 'viewer, releaser, approver, operator, admin; * for all',
      isRequired: true,
    },
    { flags: '--code-file <path>', summary: 'where the code goes (./<subject>.code)' },
  ],
  examples: ['stella auth person create alice --role approver@prod --role viewer@*'],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const subject = positional(positionals, 0);
    const body = { subject, roles: [...textsOption(options, 'role')], dryRun: globals.isDryRun };
    const file = resolve(textOption(options, 'codeFile') ?? `${subject.replace(/[^\w.-]/g, '_')}.code`);
    const create = (): Promise<Answer<'createPerson'>> => client.call('createPerson', { body, idempotencyKey });
    const { code: _secret, ...person } = globals.isDryRun
      ? await create()
      : await writeSecretFile({ file, option: '--code-file' }, create, ({ code }) => code);
    show(
      textView({
        name: person.id,
        data: { ...person, codeFile: globals.isDryRun ? null : file },
        text: () =>
          [
            `Person     ${person.subject}  ${person.id}`,
            `Roles      ${person.roles.join(', ')}`,
            `Code       ${globals.isDryRun ? 'none: this was a dry run' : `in ${file}, until ${person.expiresAt}`}`,
            `Next       hand the file over; ${person.subject} runs: stella auth login --code-file ${file}`,
          ].join('\n'),
      }),
    );
    return undefined;
  },
};
