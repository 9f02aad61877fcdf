/** `stella auth whoami` */
import type { CommandSpec } from '../../command.ts';
import { textView } from '../../view.ts';
import { relativeTo } from '../show-age.ts';

export const authWhoami: CommandSpec = {
  path: ['auth', 'whoami'],
  summary: 'Who you are here, and what you may do',
  kind: 'read',
  async run({ connect, show }) {
    const { client, server } = await connect();
    const answer = await client.call('whoami');
    show(
      textView({
        name: answer.actor.name,
        data: answer,
        text: (nowMs) =>
          [
            `Actor      ${answer.actor.name}, ${answer.actor.kind} ${answer.actor.id}`,
            `Roles      ${answer.roles.join(', ') || 'none'}`,
            `Token      ${answer.tokenId}, ends ${relativeTo(nowMs, answer.expiresAt)}`,
            `Server     ${server}`,
          ].join('\n'),
      }),
    );
    return undefined;
  },
};
