/** Channels and deliveries within a command's transaction; each type assertion is on what only our own statements write. */
import {
  channelHash,
  type Delivery,
  type DeliveryId,
  type Digest,
  type NotificationChannel,
  reopenDelivery,
  toRfc3339,
} from '@stella/domain';
import type { ChannelRecord } from '../ports/notification-store.ts';
import type { Session, Statement } from './connection.ts';
import { lockOfList } from './list-lock.ts';
import { numberOrNull } from './row-values.ts';

/** Two applies at once: the second sees what the first has written. */
const CLAIM_CHANNELS: Statement = { name: 'channels_claim', text: lockOfList('channels') };

const LOCK_CHANNELS: Statement = {
  name: 'channels_lock',
  text: 'select name, version, hash, definition, applied_at from notification_channels order by name for update',
};

/** A new one hears from now on: what happened before is nothing to tell. */
const WRITE_CHANNEL: Statement = {
  name: 'channel_write',
  text: `insert into notification_channels (name, version, hash, definition, applied_at, seen_seq)
    select $1, 1, $2, $3, $4, seq from chain_head
    on conflict (name) do update set version = notification_channels.version + 1, hash = excluded.hash,
      definition = excluded.definition, applied_at = excluded.applied_at
    returning version`,
};

const REMOVE_CHANNEL: Statement = {
  name: 'channel_remove',
  text: `with gone as (delete from notification_channels where name = $1)
    update notifications set state = 'dead', due_at = null, ended_at = $2, message = $3
    where channel = $1 and state = 'pending'`,
};

export const DELIVERY_COLUMNS = `n.id, n.channel, n.promotion_id, n.environment, n.notice, n.state, n.attempt_count,
  n.created_at, n.opened_at, n.due_at, n.last_attempt_at, n.message, n.ended_at`;

/** Whoever records an attempt waits for the order to try again, and the other way round. */
const LOCK_DELIVERY: Statement = {
  name: 'delivery_lock',
  text: `select ${DELIVERY_COLUMNS} from notifications n where n.id = $1 for update`,
};

const REOPEN: Statement = {
  name: 'delivery_reopen',
  text: `update notifications set state = $2, attempt_count = $3, opened_at = $4, due_at = $5, ended_at = $6 where id = $1`,
};

export async function lockChannelRows(session: Session): Promise<readonly ChannelRecord[]> {
  await session.rows(CLAIM_CHANNELS);
  return (await session.rows(LOCK_CHANNELS)).map(toChannelRecord);
}

export async function writeChannelRow(
  session: Session,
  definition: NotificationChannel,
  nowMs: number,
): Promise<ChannelRecord> {
  const hash = channelHash(definition);
  const values = [definition.name, hash, JSON.stringify(definition), toRfc3339(nowMs)];
  const [row] = await session.rows(WRITE_CHANNEL, values);
  return { definition, version: Number(row?.['version']), hash, appliedAtMs: nowMs };
}

export async function removeChannelRow(session: Session, name: string, nowMs: number): Promise<void> {
  await session.rows(REMOVE_CHANNEL, [name, toRfc3339(nowMs), CHANNEL_GONE]);
}

/** Said of what was on its way to a channel that went. */
export const CHANNEL_GONE = 'the channel was removed';

export async function lockDeliveryRow(session: Session, id: DeliveryId): Promise<Delivery | null> {
  const [row] = await session.rows(LOCK_DELIVERY, [id]);
  return row ? toDelivery(row) : null;
}

export async function reopenDeliveryRow(session: Session, delivery: Delivery, nowMs: number): Promise<Delivery> {
  const opened = reopenDelivery(delivery, nowMs);
  const { id, state, attemptCount, openedAtMs, dueAtMs, endedAtMs } = opened;
  await session.rows(REOPEN, [id, state, attemptCount, toRfc3339(openedAtMs), at(dueAtMs), at(endedAtMs)]);
  return opened;
}

export function toChannelRecord(row: Readonly<Record<string, unknown>>): ChannelRecord {
  return {
    definition: row['definition'] as NotificationChannel,
    version: Number(row['version']),
    hash: row['hash'] as Digest,
    appliedAtMs: Number(row['applied_at']),
  };
}

export function toDelivery(row: Readonly<Record<string, unknown>>): Delivery {
  return {
    id: row['id'] as DeliveryId,
    channel: String(row['channel']),
    promotionId: row['promotion_id'] as Delivery['promotionId'],
    environment: String(row['environment']),
    notice: row['notice'] as Delivery['notice'],
    state: row['state'] as Delivery['state'],
    attemptCount: Number(row['attempt_count']),
    createdAtMs: Number(row['created_at']),
    openedAtMs: Number(row['opened_at']),
    dueAtMs: numberOrNull(row['due_at']),
    lastAttemptAtMs: numberOrNull(row['last_attempt_at']),
    message: String(row['message']),
    endedAtMs: numberOrNull(row['ended_at']),
  };
}

/** As the column takes it. */
export function at(instantMs: number | null): string | null {
  return instantMs === null ? null : toRfc3339(instantMs);
}
