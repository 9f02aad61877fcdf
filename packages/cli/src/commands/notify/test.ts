/** `stella notify test <channel>` */
import type { CommandSpec } from '../../command.ts';
import { EXIT_CODES } from '../../command.ts';
import { positional } from '../../input.ts';
import { textView } from '../../view.ts';

export const notifyTest: CommandSpec = {
  path: ['notify', 'test'],
  summary: 'Send a test message by a channel now; exit 1 when it was not taken',
  kind: 'read',
  positionals: [{ name: 'channel', summary: 'its name' }],
  examples: ['stella notify test release-room'],
  async run({ connect, show }, { positionals }) {
    const { client } = await connect();
    const channel = positional(positionals, 0);
    const answer = await client.call('testChannel', { parameters: { channel }, body: {} });
    const { outcome, message, durationMs } = answer;
    const text = `Channel  ${channel}\nResult   ${outcome} after ${durationMs}ms\nAnswer   ${message}`;
    show(textView({ name: channel, data: answer, text: () => text }));
    return outcome === 'delivered' ? undefined : EXIT_CODES.error;
  },
};
