/** `apply` of channels: whoever declares one hears of environments, so an admin of all of them must. */
import {
  AppError,
  authorize,
  CHANNEL_COUNT_MAX,
  channelHash,
  type NotificationChannel,
  type Principal,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import { applyList, type DefinedList, type ListChange } from './apply-list.ts';

export interface AppliedChannel extends Omit<ListChange, 'name'> {
  readonly channel: string;
}

export interface ChannelOrder {
  readonly channels: readonly NotificationChannel[];
  /** Removes channels that are not named. */
  readonly isPruning: boolean;
}

/** Errors: `auth.forbidden`, `apply.channels`. */
export async function applyChannels(
  tx: CommandTransaction,
  principal: Principal,
  { channels, isPruning }: ChannelOrder,
): Promise<readonly AppliedChannel[]> {
  const list: DefinedList<NotificationChannel> = {
    nameOf: ({ name }) => name,
    hashOf: channelHash,
    authorize: (channel) => authorizeChannel(principal, channel),
    countMax: CHANNEL_COUNT_MAX,
    tooMany: (details) => new AppError('apply.channels', { details }),
    lock: () => tx.lockChannels(),
    write: (definition) => tx.writeChannel(definition),
    remove: (name) => tx.removeChannel(name),
    events: { applied: 'notification.applied', removed: 'notification.removed' },
  };
  const changes = await applyList(tx, principal, list, { wanted: channels, isPruning });
  return changes.map(({ name, ...change }) => ({ channel: name, ...change }));
}

/** A binding covers a pattern when it covers every name that the pattern does; `*` of one covers `*` of the other. */
function authorizeChannel(principal: Principal, { name, environments }: NotificationChannel): void {
  for (const environment of environments) {
    authorize(principal, 'notification.apply', { environment, name: `channel ${name}` });
  }
}
