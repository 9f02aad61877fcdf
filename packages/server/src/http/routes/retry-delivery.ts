/** `POST /notify/deliveries/{delivery}/retry` */
import { AppError, type DeliveryId, isIdStart } from '@stella/domain';
import { retryDelivery as retry } from '../../engine/commands/retry-delivery.ts';
import type { NotificationReads } from '../../ports/notification-store.ts';
import { presentDelivery } from '../present/present-notification.ts';
import type { RouteHandler } from '../route-handler.ts';

export const retryDelivery: RouteHandler<'retryDelivery'> = async (
  { notifications },
  { caller, parameters, body, write },
) => {
  const id = await findDelivery(notifications, parameters.delivery);
  return write(async (tx) => ({ ...presentDelivery(await retry(tx, caller, id)), dryRun: body.dryRun }));
};

/** Errors: `delivery.not_found`, `input.id_ambiguous`. */
async function findDelivery(notifications: NotificationReads, name: string): Promise<DeliveryId> {
  const [id, other] = isIdStart('ntf', name) ? await notifications.findDeliveries(name) : [];
  if (id === undefined) throw new AppError('delivery.not_found', { details: { name } });
  if (other === undefined) return id;
  throw new AppError('input.id_ambiguous', { details: { value: name, matches: `${id}, ${other}` } });
}
