/** `stella promotion retry <promotion>`; with `--anew` another one takes its place. */
import type { CommandContext, CommandSpec, Connection } from '../../command.ts';
import { isTerminal } from '@stella/domain/client';
import { isSet, positional, textOption, waitOption } from '../../input.ts';
import { followToEnd, untilEnded } from './follow.ts';
import { promotionView } from './promotion-view.ts';

export const promotionRetry: CommandSpec = {
  path: ['promotion', 'retry'],
  summary: 'Give the failed part a new attempt; of an ended promotion, make a new one',
  kind: 'write',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [
    { flags: '--reason <text>', summary: 'recorded with it' },
    { flags: '--anew', summary: 'cancel it, then make a new one, by the definition in force now' },
    { flags: '--wait [timeout]', summary: 'follow it to its end' },
  ],
  async run(context, { positionals, options }) {
    const { show, globals } = context;
    const wait = waitOption(options);
    const connection = await context.connect();
    const { client, idempotencyKey } = connection;
    const body = { reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    const parameters = { promotion: positional(positionals, 0) };
    if (isSet(options, 'anew') && !globals.isDryRun) await endIt(context, connection, { parameters, body });
    const retried = await client.call('retryPromotion', { parameters, body, idempotencyKey });
    if (wait !== undefined && !globals.isDryRun) return followToEnd(context, retried.id, wait);
    show(promotionView(retried));
    return undefined;
  },
};

interface Order {
  readonly parameters: { readonly promotion: string };
  readonly body: { readonly reason: string };
}

/** Cancels it unless it has ended, and waits for its end; from its deploy on that takes as long as `onFailure` does. */
async function endIt(context: CommandContext, { client }: Connection, { parameters, body }: Order): Promise<void> {
  const { status, id } = await client.call('getPromotion', { parameters });
  if (isTerminal(status)) return;
  await client.call('cancelPromotion', { parameters, body });
  await untilEnded(context, id);
}
