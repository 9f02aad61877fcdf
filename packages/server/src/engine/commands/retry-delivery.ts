/** `notify retry`: one delivery, from the beginning. */
import { AppError, authorize, type Delivery, type DeliveryId, type Principal } from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';

/** Errors: `delivery.not_found`, `auth.forbidden`, `delivery.delivered`, `delivery.no_channel`. */
export async function retryDelivery(tx: CommandTransaction, principal: Principal, id: DeliveryId): Promise<Delivery> {
  // Channels first, as apply takes them.
  const channels = await tx.lockChannels();
  const delivery = await tx.lockDelivery(id);
  if (!delivery) throw new AppError('delivery.not_found', { details: { name: id } });
  const { channel, environment, promotionId, state } = delivery;
  authorize(principal, 'notification.retry', { environment, name: `delivery ${id}` });
  const about = { deliveryId: id, channel };
  if (state === 'delivered') throw new AppError('delivery.delivered', { details: about });
  if (!channels.some(({ definition }) => definition.name === channel)) {
    throw new AppError('delivery.no_channel', { details: about });
  }
  const opened = await tx.reopenDelivery(delivery);
  await tx.writeEvents([
    {
      type: 'notification.retried',
      subject: id,
      data: { channel, of: promotionId },
      actor: principal.actor,
      atMs: tx.nowMs,
      promotionId: null,
    },
  ]);
  return opened;
}
