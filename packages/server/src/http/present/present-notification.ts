/** Channels and deliveries in their wire forms. */
import { type Delivery, describeTransport, isAllowed, type RoleBinding, toRfc3339 } from '@stella/domain';
import type { ChannelHealth } from '../../ports/notification-store.ts';
import { presentInstant } from './values.ts';

/** `bindings`: of whoever asks. */
export function presentChannel(channel: ChannelHealth, bindings: readonly RoleBinding[]): object {
  const { definition, version, appliedAtMs } = channel;
  const { name, transport, events, environments } = definition;
  const mayKnowAddress = environments.every((one) => isAllowed(bindings, 'notification.address', one));
  return {
    name,
    kind: transport.kind,
    where: describeTransport(transport, mayKnowAddress),
    events,
    environments,
    version,
    appliedAt: toRfc3339(appliedAtMs),
    pending: channel.pendingCount,
    failing: channel.failingCount,
    dead: channel.deadCount,
    oldestPendingAt: presentInstant(channel.oldestPendingAtMs),
    lastDeliveredAt: presentInstant(channel.lastDeliveredAtMs),
    lastFailure: channel.lastFailure,
  };
}

export function presentDelivery(delivery: Delivery): object {
  const { id, channel, promotionId, environment, notice, state, attemptCount, message } = delivery;
  return {
    id,
    channel,
    type: notice.type,
    promotionId,
    environment,
    summary: notice.data.summary,
    state,
    attempts: attemptCount,
    createdAt: toRfc3339(delivery.createdAtMs),
    nextAttemptAt: presentInstant(delivery.dueAtMs),
    lastAttemptAt: presentInstant(delivery.lastAttemptAtMs),
    endedAt: presentInstant(delivery.endedAtMs),
    message,
  };
}
