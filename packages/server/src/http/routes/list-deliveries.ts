/** `GET /notify/deliveries`: of environments that the caller may see. */
import { isAllowed } from '@stella/domain';
import { presentDelivery } from '../present/present-notification.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listDeliveries: RouteHandler<'listDeliveries'> = async ({ notifications }, { caller, query }) => {
  const { channel = null, state = null, limit } = query;
  const rows = await notifications.listDeliveries({ channel, state, limit });
  const visible = rows.filter((row) => isAllowed(caller.bindings, 'notification.read', row.environment));
  return { items: visible.map(presentDelivery) };
};
