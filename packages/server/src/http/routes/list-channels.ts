/** `GET /notify/channels` */
import { presentChannel } from '../present/present-notification.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listChannels: RouteHandler<'listChannels'> = async ({ notifications }, { caller }) => ({
  items: (await notifications.listChannels()).map((channel) => presentChannel(channel, caller.bindings)),
});
