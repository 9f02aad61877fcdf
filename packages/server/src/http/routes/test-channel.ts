/** `POST /notify/channels/{channel}/test`: one attempt, now; nothing of it is kept. */
import { AppError, testNotice } from '@stella/domain';
import type { RouteHandler } from '../route-handler.ts';

export const testChannel: RouteHandler<'testChannel'> = async (
  { notifications, sendNotice, clock, ids },
  { caller, parameters, signal },
) => {
  const channels = await notifications.listChannels();
  const channel = channels.find(({ definition }) => definition.name === parameters.channel)?.definition;
  if (!channel) throw new AppError('channel.not_found', { details: { name: parameters.channel } });
  const notice = testNotice(channel.name, caller.actor, clock.nowMs());
  const startedAtMs = clock.monotonicMs();
  const { outcome, message } = await sendNotice({ id: ids.next('ntf'), notice, channel, signal });
  return { channel: channel.name, outcome, message, durationMs: Math.round(clock.monotonicMs() - startedAtMs) };
};
