/** `stella auth person create <subject> --role <role>@<env>`: enrols a person with a one-time code in a 0600 file. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AppError } from '@stella/domain';
import type { CommandSpec } from '../../command.ts';
import { positional, textOption, textsOption } from '../../input.ts';
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
    // Before the person is made: a code that cannot be kept would be lost.
    if (!globals.isDryRun) writeNew(file, '');
    const { code, ...person } = await client.call('createPerson', { body, idempotencyKey });
    if (!globals.isDryRun) writeFileSync(file, `${code}\n`, { mode: 0o600 });
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

function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    // Node's own errors have a code.
    const { code } = error as NodeJS.ErrnoException;
    const message =
      code === 'EEXIST' ? `${file} exists already` : `${file} cannot be written (${code ?? 'unknown error'})`;
    throw new AppError('cli.usage', { details: { message }, hint: 'name another with --code-file' });
  }
}
