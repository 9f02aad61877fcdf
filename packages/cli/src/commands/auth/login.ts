/** `stella auth login`: trades a one-time code for a token, and keeps it in the configuration file. */
import { readFileSync } from 'node:fs';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { writeContext } from '../../connect/client-config.ts';
import { textOption } from '../../input.ts';
import { textView } from '../../view.ts';

export const authLogin: CommandSpec = {
  path: ['auth', 'login'],
  summary: 'Log in with the one-time code that an admin gave you',
  kind: 'read',
  options: [{ flags: '--code-file <path>', summary: 'the file with the code, or - for stdin' }],
  async run({ connect, show, globals, env }, { options }) {
    const file = textOption(options, 'codeFile');
    if (file === undefined) {
      throw new AppError('cli.usage', {
        details: { message: 'name the file with your one-time code' },
        hint: 'stella auth login --code-file <path>; an admin makes one: stella auth person create',
      });
    }
    const { client, server, idempotencyKey } = await connect();
    const { token, ...login } = await client.call('login', { body: { code: readCode(file) }, idempotencyKey });
    const context = globals.context ?? env['STELLA_CONTEXT'] ?? 'default';
    const path = writeContext(env, context, { server, token });
    show(
      textView({
        name: login.id,
        data: { ...login, server, context, configFile: path },
        text: () => `${login.owner} is logged in at ${server} until ${login.expiresAt}; kept in ${path}`,
      }),
    );
    return undefined;
  },
};

function readCode(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch (error) {
    // Node's own errors have a code.
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError('cli.usage', { details: { message: `${file} cannot be read (${code ?? 'unknown error'})` } });
  }
}
