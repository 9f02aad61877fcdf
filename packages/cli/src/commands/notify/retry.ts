/** `stella notify retry <delivery>` */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { textView } from '../../view.ts';

export const notifyRetry: CommandSpec = {
  path: ['notify', 'retry'],
  summary: 'Try a message again that was given up, or that waits for its next attempt',
  kind: 'write',
  positionals: [{ name: 'delivery', summary: 'as notify deliveries shows it, or a unique start of it' }],
  examples: ['stella notify retry ntf_01jd'],
  async run({ connect, show, globals }, { positionals }) {
    const { client, idempotencyKey } = await connect();
    const parameters = { delivery: positional(positionals, 0) };
    const body = { dryRun: globals.isDryRun };
    const answer = await client.call('retryDelivery', { parameters, body, idempotencyKey });
    const { id, channel, summary, dryRun } = answer;
    const text = [
      `Delivery  ${id} ${dryRun ? 'would be' : 'is'} due now, by channel ${channel}`,
      `Message   ${summary}`,
      `Follow    stella notify deliveries --channel ${channel}`,
    ].join('\n');
    show(textView({ name: id, data: answer, text: () => text }));
    return undefined;
  },
};
