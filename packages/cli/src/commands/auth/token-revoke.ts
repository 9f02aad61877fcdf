/** `stella auth token revoke <token>` */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { textView } from '../../view.ts';

export const authTokenRevoke: CommandSpec = {
  path: ['auth', 'token', 'revoke'],
  summary: 'Revoke a token: it opens nothing from now on',
  kind: 'write',
  positionals: [{ name: 'token', summary: 'its id, or the unique start of it' }],
  async run({ connect, show, globals }, { positionals }) {
    const { client, idempotencyKey } = await connect();
    const parameters = { token: positional(positionals, 0) };
    const body = { dryRun: globals.isDryRun };
    const answer = await client.call('revokeToken', { parameters, body, idempotencyKey });
    const verb = globals.isDryRun ? 'would be revoked' : `revoked at ${answer.revokedAt}`;
    show(textView({ name: answer.id, data: answer, text: () => `${answer.id} ${verb}` }));
    return undefined;
  },
};
