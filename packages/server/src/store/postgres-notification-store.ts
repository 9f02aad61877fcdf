/** The port of what tells people on PostgreSQL. Each type assertion is on what only our own statements write. */
import {
  claimDelivery,
  type Delivery,
  type DeliveryAnswer,
  type DeliveryId,
  doesHear,
  type IdSource,
  type Notice,
  type NoticedEvent,
  type NoticeFacts,
  NOTICED_EVENTS,
  noticeOfEvent,
  noticeOfStall,
  type NotificationChannel,
  settleDelivery,
  toRfc3339,
} from '@stella/domain';
import type {
  ChannelHealth,
  ClaimWish,
  DeliveryFilter,
  DueDelivery,
  NotificationStore,
} from '../ports/notification-store.ts';
import { type Database, query, type Session, type Statement, transact } from './connection.ts';
import { at, DELIVERY_COLUMNS, toChannelRecord, toDelivery } from './notification-rows.ts';
import type { StoreOptions } from './postgres-engine-store.ts';
import { numberOrNull, textOrNull } from './row-values.ts';

/** Who reads events for a channel has its row; a channel that somebody else has is left to that one. */
const LOCK_CHANNELS: Statement = {
  name: 'channels_take',
  text: `select definition, seen_seq, (select seq from chain_head) as head, date_trunc('milliseconds', clock_timestamp()) as now
    from notification_channels where seen_seq < (select seq from chain_head) order by name for update skip locked`,
};

/** What is known of the promotion, beside what the event says. */
const FACTS = `p.id, p.environment, p.requested_by, (select r.name from releases r where r.id = p.release_id) as release_name,
    (select d.definition -> 'gates' from environment_definitions d
      where d.environment = p.environment and d.hash = p.definition_hash limit 1) as gates`;

const READ_EVENTS: Statement = {
  name: 'notices_read',
  text: `select e.seq, e.type, e.actor, e.data, e.at, ${FACTS} from events e join promotions p on p.id = e.promotion_id
    where e.seq > $1 and e.seq <= $2 and e.type = any ($3) order by e.seq`,
};

const INSERT: Statement = {
  name: 'notifications_insert',
  text: `insert into notifications (id, channel, source, type, promotion_id, environment, notice, state, attempt_count,
      created_at, opened_at, due_at, message)
    select n.id, n.channel, n.source, n.type, n.promotion_id, n.environment, n.notice, 'pending', 0, $2, $2, $2, ''
    from jsonb_to_recordset($1) as n (id text, channel text, source text, type text, promotion_id text,
      environment text, notice jsonb)
    on conflict (channel, source) do nothing`,
};

const MOVE: Statement = {
  name: 'channels_move',
  text: 'update notification_channels set seen_seq = $2 where name = any ($1) and seen_seq < $2',
};

/**
 * The stall clock is the later of the last progress and the last entry into in_progress, as everywhere. A channel that
 * goes at this moment is left out, and stays while we write to it: nobody would deliver to one that has gone.
 */
const READ_STALLS: Statement = {
  name: 'stalls_read',
  text: `select c.definition, s.*, ${FACTS}, date_trunc('milliseconds', clock_timestamp()) as now
    from (select id as promotion, greatest(last_progress_at, in_progress_since_at) as since,
          'stall:' || id || ':' || floor(extract(epoch from greatest(last_progress_at, in_progress_since_at)) * 1000)::bigint as source
        from promotions where ended_at is null and status = 'in_progress'
          and greatest(last_progress_at, in_progress_since_at) < now() - coalesce(
            (select value from settings where key = 'stuck.after'), $1) * interval '1 millisecond') s
      join promotions p on p.id = s.promotion
      join notification_channels c on c.definition -> 'events' ? 'promotion.stalled'
        and exists (select from jsonb_array_elements_text(c.definition -> 'environments') e
          where p.environment like replace(e, '*', '%'))
    where not exists (select from notifications n where n.channel = c.name and n.source = s.source)
    order by s.since, s.promotion, c.name limit $2 for key share of c skip locked`,
};

/** Of each channel as many as it has room for; locked ones are being claimed by somebody else. */
const FIND_DUE: Statement = {
  name: 'deliveries_due',
  text: `select ${DELIVERY_COLUMNS}, c.definition, date_trunc('milliseconds', clock_timestamp()) as now
    from notification_channels c cross join lateral (
      select * from notifications d where d.channel = c.name and d.state = 'pending' and d.due_at <= now()
      order by d.due_at, d.id limit greatest(0, $2 - coalesce(($3::jsonb ->> c.name)::int, 0)) for update skip locked) n
    order by n.due_at, n.id limit $1`,
};

const CLAIM: Statement = {
  name: 'delivery_claim',
  text: 'update notifications set attempt_count = $2, last_attempt_at = $3, due_at = $4 where id = $1',
};

/** It may have ended, or be ordered anew, while it was sent. */
const LOCK: Statement = {
  name: 'delivery_take',
  text: `select ${DELIVERY_COLUMNS}, date_trunc('milliseconds', clock_timestamp()) as now from notifications n
    where n.id = $1 and n.state = 'pending' and n.attempt_count = $2 for update`,
};

const SETTLE: Statement = {
  name: 'delivery_settle',
  text: 'update notifications set state = $2, due_at = $3, ended_at = $4, message = $5 where id = $1',
};

/** What another server removes at this moment is left to it. */
const PRUNE: Statement = {
  name: 'notifications_prune',
  text: `delete from notifications where id in (select id from notifications where state <> 'pending' and ended_at < $1
      order by ended_at limit $2 for update skip locked)`,
};

const CHANNELS: Statement = {
  name: 'channels_list',
  text: `select c.name, c.version, c.hash, c.definition, c.applied_at, p.*,
      (select count(*) from notifications n where n.channel = c.name and n.state = 'dead') as dead_count,
      (select max(ended_at) from notifications n where n.channel = c.name and n.state = 'delivered') as delivered_at,
      (select message from notifications n where n.channel = c.name and n.state <> 'delivered' and n.attempt_count > 0
        order by n.last_attempt_at desc nulls last limit 1) as last_failure
    from notification_channels c cross join lateral (select count(*) as pending_count, min(created_at) as oldest_at,
        count(*) filter (where message <> '') as failing_count
      from notifications n where n.channel = c.name and n.state = 'pending') p
    order by c.name`,
};

const LIST: Statement = {
  name: 'deliveries_list',
  text: `select ${DELIVERY_COLUMNS} from notifications n where ($1::text is null or n.channel = $1)
      and ($2::text is null or n.state = $2) order by n.created_at desc, n.id desc limit $3`,
};

const FIND: Statement = {
  name: 'deliveries_find',
  text: `select id from notifications where id >= $1 and id < $1 || 'g' order by id limit 2`,
};

export function makeNotificationStore(database: Database, options: StoreOptions): NotificationStore {
  return {
    collectEvents: (limit) => transact(database, (session) => collectEvents(session, options.ids, limit)),
    collectStalls: (limit) => transact(database, (session) => collectStalls(session, options, limit)),
    takeDueDeliveries: (wish) => transact(database, (session) => takeDueDeliveries(session, wish)),
    recordDelivery: (delivery, answer, jitter) =>
      transact(database, (session) => recordDelivery(session, delivery, { answer, jitter })),
    pruneDeliveries: (beforeMs, limit) =>
      transact(database, (session) => session.count(PRUNE, [toRfc3339(beforeMs), limit])),
    listChannels: async () => (await query(database, CHANNELS)).map(toChannelHealth),
    listDeliveries: async ({ channel, state, limit }: DeliveryFilter) =>
      (await query(database, LIST, [channel, state, limit])).map(toDelivery),
    findDeliveries: async (start) => (await query(database, FIND, [start])).map((row) => row['id'] as DeliveryId),
  };
}

type Row = Readonly<Record<string, unknown>>;

async function collectEvents(
  session: Session,
  ids: IdSource,
  limit: number,
): Promise<{ readonly madeCount: number; readonly hasMore: boolean }> {
  const channels = (await session.rows(LOCK_CHANNELS)).map((row) => ({
    definition: row['definition'] as NotificationChannel,
    seenSeq: Number(row['seen_seq']),
    head: Number(row['head']),
    nowMs: Number(row['now']),
  }));
  const [first] = channels;
  if (!first) return { madeCount: 0, hasMore: false };
  const fromSeq = Math.min(...channels.map(({ seenSeq }) => seenSeq));
  const toSeq = Math.min(first.head, fromSeq + limit);
  const rows = await session.rows(READ_EVENTS, [fromSeq, toSeq, NOTICED_EVENTS]);
  const made = rows.flatMap((row) => {
    const notice = noticeOfEvent(toFacts(row, Number(row['at'])), toNoticedEvent(row));
    if (!notice) return [];
    const seq = Number(row['seq']);
    return channels
      .filter(({ definition, seenSeq }) => seenSeq < seq && doesHear(definition, notice.type, notice.data.environment))
      .map(({ definition }) => ({ channel: definition.name, source: `event:${seq}`, notice }));
  });
  await insert(session, ids, made, first.nowMs);
  await session.rows(MOVE, [channels.map(({ definition }) => definition.name), toSeq]);
  return { madeCount: made.length, hasMore: toSeq < first.head };
}

async function collectStalls(session: Session, { ids, settings }: StoreOptions, limit: number): Promise<number> {
  const rows = await session.rows(READ_STALLS, [settings['stuck.after'], limit]);
  const [first] = rows;
  if (!first) return 0;
  const nowMs = Number(first['now']);
  const made = rows.map((row) => ({
    channel: (row['definition'] as NotificationChannel).name,
    source: String(row['source']),
    notice: noticeOfStall(toFacts(row, nowMs), nowMs - Number(row['since'])),
  }));
  return insert(session, ids, made, nowMs);
}

interface Made {
  readonly channel: string;
  readonly source: string;
  readonly notice: Notice;
}

/** In order of channel and source, so that two who write the same do not wait for each other in a circle. */
async function insert(session: Session, ids: IdSource, made: readonly Made[], nowMs: number): Promise<number> {
  if (made.length === 0) return 0;
  const rows = made.map(({ channel, source, notice }) => ({
    id: ids.next('ntf'),
    channel,
    source,
    type: notice.type,
    promotion_id: notice.data.promotion,
    environment: notice.data.environment,
    notice,
  }));
  const ordered = rows.toSorted((a, b) => byText(a.channel, b.channel) || byText(a.source, b.source));
  return session.count(INSERT, [JSON.stringify(ordered), toRfc3339(nowMs)]);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function takeDueDeliveries(
  session: Session,
  { limit, channelLimit, underWay }: ClaimWish,
): Promise<readonly DueDelivery[]> {
  const busy = JSON.stringify(Object.fromEntries(underWay));
  const due: DueDelivery[] = [];
  for (const row of await session.rows(FIND_DUE, [limit, channelLimit, busy])) {
    const channel = row['definition'] as NotificationChannel;
    const delivery = claimDelivery(toDelivery(row), channel.transport, Number(row['now']));
    const { id, attemptCount, lastAttemptAtMs, dueAtMs } = delivery;
    await session.rows(CLAIM, [id, attemptCount, at(lastAttemptAtMs), at(dueAtMs)]);
    due.push({ delivery, channel });
  }
  return due;
}

async function recordDelivery(
  session: Session,
  claimed: Delivery,
  { answer, jitter }: { readonly answer: DeliveryAnswer; readonly jitter: number },
): Promise<Delivery | null> {
  const [row] = await session.rows(LOCK, [claimed.id, claimed.attemptCount]);
  if (!row) return null;
  const settled = settleDelivery(toDelivery(row), answer, { nowMs: Number(row['now']), jitter });
  const { id, state, dueAtMs, endedAtMs, message } = settled;
  await session.rows(SETTLE, [id, state, at(dueAtMs), at(endedAtMs), message]);
  return settled;
}

function toFacts(row: Row, atMs: number): NoticeFacts {
  return {
    atMs,
    promotionId: row['id'] as NoticeFacts['promotionId'],
    environment: String(row['environment']),
    releaseName: String(row['release_name']),
    requestedBy: row['requested_by'] as NoticeFacts['requestedBy'],
    gates: (row['gates'] ?? []) as NoticeFacts['gates'],
  };
}

function toNoticedEvent(row: Row): NoticedEvent {
  return {
    type: row['type'] as NoticedEvent['type'],
    actor: row['actor'] as NoticedEvent['actor'],
    data: row['data'] as NoticedEvent['data'],
  };
}

function toChannelHealth(row: Row): ChannelHealth {
  return {
    ...toChannelRecord(row),
    pendingCount: Number(row['pending_count']),
    deadCount: Number(row['dead_count']),
    oldestPendingAtMs: numberOrNull(row['oldest_at']),
    failingCount: Number(row['failing_count']),
    lastDeliveredAtMs: numberOrNull(row['delivered_at']),
    lastFailure: textOrNull(row['last_failure']) ?? '',
  };
}
