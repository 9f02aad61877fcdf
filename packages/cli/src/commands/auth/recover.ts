/** `stella auth recover`: on the server's machine, by whoever may read its recovery file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { writeContext } from '../../connect/client-config.ts';
import { findLocalServer, type LocalServer } from '../../connect/find-server.ts';
import { textOption } from '../../input.ts';
import { textView } from '../../view.ts';

export const authRecover: CommandSpec = {
  path: ['auth', 'recover'],
  summary: "Get back in as admin, on the server's machine",
  kind: 'read',
  options: [{ flags: '--data-dir <directory>', summary: "the server's data directory" }],
  async run({ connect, show, env, globals }, { options }) {
    const dataDir = textOption(options, 'dataDir');
    const local = findLocalServer(dataDir === undefined ? env : { ...env, STELLA_DATA_DIR: dataDir });
    if (!local) {
      throw new AppError('server.unreachable', {
        details: { server: 'this machine', message: 'no server runs on that data directory' },
        hint: "run it on the server's machine, as its user, with --data-dir when it is not the usual one",
      });
    }
    const key = readKey(local);
    const { client, idempotencyKey } = await connect();
    const { token, ...recovered } = await client.call('recover', { body: { key }, idempotencyKey });
    const context = globals.context ?? env['STELLA_CONTEXT'] ?? 'default';
    const path = writeContext(env, context, { server: local.url, token });
    show(
      textView({
        name: recovered.id,
        data: { ...recovered, server: local.url, context, configFile: path },
        text: () => `${recovered.owner} is logged in at ${local.url} until ${recovered.expiresAt}; kept in ${path}`,
      }),
    );
    return undefined;
  },
};

function readKey({ dataDir, recoveryKeyFile }: LocalServer): string {
  const path = join(dataDir, recoveryKeyFile);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    // Node's own errors have a code.
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError('auth.forbidden', {
      details: { actor: 'you', action: 'read', object: path, role: `the server's user (${code ?? 'unknown error'})` },
      hint: 'run it as the user that the server runs as',
    });
  }
}
