/** `apply` of channels: whoever declares one hears of environments, so an admin of all of them must. */
import {
  AppError,
  authorize,
  CHANNEL_COUNT_MAX,
  channelHash,
  type Json,
  type NotificationChannel,
  type Principal,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import type { ChannelRecord } from '../../ports/notification-store.ts';
import { differencesBetween } from './apply-definitions.ts';

export interface AppliedChannel {
  readonly channel: string;
  readonly change: 'created' | 'changed' | 'unchanged' | 'removed';
  /** Null when it was removed. */
  readonly version: number | null;
  readonly differences: readonly string[];
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
  for (const channel of channels) authorizeChannel(principal, channel);
  if (channels.length === 0 && !isPruning) return [];
  const known = await tx.lockChannels();
  const wanted = new Set(channels.map(({ name }) => name));
  const others = known.filter(({ definition }) => !wanted.has(definition.name));
  const gone = isPruning ? others : [];
  for (const { definition } of gone) authorizeChannel(principal, definition);
  const count = wanted.size + others.length - gone.length;
  if (count > CHANNEL_COUNT_MAX) {
    throw new AppError('apply.channels', { details: { count, max: CHANNEL_COUNT_MAX } });
  }
  const changes: AppliedChannel[] = [];
  for (const channel of channels) changes.push(await applyOne(tx, principal, { channel, known }));
  for (const { definition } of gone) {
    await tx.removeChannel(definition.name);
    await note(tx, principal, { type: 'notification.removed', subject: definition.name, data: {} });
    changes.push({ channel: definition.name, change: 'removed', version: null, differences: [] });
  }
  return changes;
}

interface OneChannel {
  readonly channel: NotificationChannel;
  readonly known: readonly ChannelRecord[];
}

async function applyOne(
  tx: CommandTransaction,
  principal: Principal,
  { channel, known }: OneChannel,
): Promise<AppliedChannel> {
  const { name } = channel;
  const hash = channelHash(channel);
  const before = known.find(({ definition }) => definition.name === name);
  if (before?.hash === hash) return { channel: name, change: 'unchanged', version: before.version, differences: [] };
  const { version } = await tx.writeChannel(channel);
  await note(tx, principal, { type: 'notification.applied', subject: name, data: { version, hash } });
  const differences = before ? differencesBetween(before.definition, channel) : [];
  return { channel: name, change: before ? 'changed' : 'created', version, differences };
}

/** A binding covers a pattern when it covers every name that the pattern does; `*` of one covers `*` of the other. */
function authorizeChannel(principal: Principal, { name, environments }: NotificationChannel): void {
  for (const environment of environments) {
    authorize(principal, 'notification.apply', { environment, name: `channel ${name}` });
  }
}

interface Note {
  readonly type: 'notification.applied' | 'notification.removed';
  readonly subject: string;
  readonly data: Json;
}

async function note(tx: CommandTransaction, { actor }: Principal, about: Note): Promise<void> {
  await tx.writeEvents([{ ...about, actor, atMs: tx.nowMs, promotionId: null }]);
}
