/** The port of what tells people, in memory. */
import {
  claimDelivery,
  type Delivery,
  type DeliveryAnswer,
  doesHear,
  type IdSource,
  isStalledAt,
  isTerminal,
  type Notice,
  type NoticeFacts,
  NOTICED_EVENTS,
  noticeOfEvent,
  noticeOfStall,
  settleDelivery,
} from '@stella/domain';
import type { ChannelHealth, ClaimWish, DueDelivery, NotificationStore } from '@stella/server';
import { settingsIn } from './memory-reads.ts';
import { autocommit, type MemoryConnections, type MemorySession, transact } from './memory-session.ts';
import { channelKey, deliveryKey, releaseOf, type StoredChannel, type StoredPromotion } from './memory-state.ts';
import type { MemoryTransaction, View } from './memory-transaction.ts';

export function makeMemoryNotificationStore(connections: MemoryConnections): NotificationStore {
  return {
    collectEvents: (limit) =>
      transact(connections, 'collectEvents', (session) => collectEvents(connections, session, limit)),
    collectStalls: (limit) =>
      transact(connections, 'collectStalls', (session) => collectStalls(connections, session, limit)),
    takeDueDeliveries: (wish) =>
      transact(connections, 'takeDueDeliveries', (session) =>
        session.statement('claim', (tx, nowMs) => takeDue(tx, nowMs, wish)),
      ),
    recordDelivery: (delivery, answer, jitter) =>
      transact(connections, 'recordDelivery', (session) => record(session, delivery, { answer, jitter })),
    pruneDeliveries: (beforeMs, limit) =>
      transact(connections, 'pruneDeliveries', (session) =>
        session.statement('prune', (tx) => prune(tx, beforeMs, limit)),
      ),
    listChannels: () =>
      autocommit(connections, 'listChannels.read', (tx) => sortedChannels(tx).map((row) => healthOf(tx, row))),
    listDeliveries: ({ channel, state, limit }) =>
      autocommit(connections, 'listDeliveries.read', (tx) =>
        deliveriesIn(tx)
          .filter((row) => (channel === null || row.channel === channel) && (state === null || row.state === state))
          .sort((a, b) => b.createdAtMs - a.createdAtMs || byText(b.id, a.id))
          .slice(0, limit),
      ),
    findDeliveries: (start) =>
      autocommit(connections, 'findDeliveries.read', (tx) =>
        deliveriesIn(tx)
          .map(({ id }) => id)
          .filter((id) => id.startsWith(start))
          .sort()
          .slice(0, 2),
      ),
  };
}

async function collectEvents(
  { ids, nowMs }: MemoryConnections,
  session: MemorySession,
  limit: number,
): Promise<{ readonly madeCount: number; readonly hasMore: boolean }> {
  return session.statement('collect', (tx) => {
    const head = tx.get(tx.state.chainHead, 'only')?.seq ?? 0;
    const channels = sortedChannels(tx).filter(
      ({ seenSeq, definition }) => seenSeq < head && tx.tryLock(channelKey(definition.name)),
    );
    if (channels.length === 0) return { madeCount: 0, hasMore: false };
    const fromSeq = Math.min(...channels.map(({ seenSeq }) => seenSeq));
    const toSeq = Math.min(head, fromSeq + limit);
    const made: Made[] = [];
    for (const { event, seq } of eventsBetween(tx, fromSeq, toSeq)) {
      const row = event.promotionId === null ? undefined : tx.get(tx.state.promotions, event.promotionId);
      const notice = row ? noticeOfEvent(factsOf(tx, row, event.atMs), event) : null;
      if (!notice) continue;
      for (const { definition, seenSeq } of channels) {
        if (seenSeq >= seq || !doesHear(definition, notice.type, notice.data.environment)) continue;
        made.push({ channel: definition.name, source: `event:${seq}`, notice });
      }
    }
    insert(tx, ids, made, nowMs());
    for (const row of channels) {
      if (row.seenSeq < toSeq) tx.put(tx.state.channels, row.definition.name, { ...row, seenSeq: toSeq });
    }
    return { madeCount: made.length, hasMore: toSeq < head };
  });
}

function eventsBetween(tx: View, fromSeq: number, toSeq: number) {
  const known: readonly string[] = NOTICED_EVENTS;
  return [...tx.rows(tx.state.events)]
    .flatMap(({ event, seq }) => (seq !== null && known.includes(event.type) ? [{ event, seq }] : []))
    .filter(({ seq }) => seq > fromSeq && seq <= toSeq)
    .sort((a, b) => a.seq - b.seq);
}

function collectStalls({ ids, settings }: MemoryConnections, session: MemorySession, limit: number): Promise<number> {
  return session.statement('collect', (tx, nowMs) => {
    const known = settingsIn(tx, settings);
    const made: (Made & { readonly since: number })[] = [];
    for (const row of tx.rows(tx.state.promotions)) {
      const { promotion } = row;
      if (isTerminal(promotion.status) || !isStalledAt({ promotion, settings: known }, nowMs)) continue;
      const since = Math.max(promotion.lastProgressAtMs, promotion.inProgressSinceMs);
      // At the very limit it does not stall yet.
      if (since >= nowMs - known['stuck.after']) continue;
      const source = `stall:${promotion.id}:${since}`;
      const notice = noticeOfStall(factsOf(tx, row, nowMs), nowMs - since);
      for (const { definition } of sortedChannels(tx)) {
        if (!doesHear(definition, notice.type, promotion.environment) || isMade(tx, definition.name, source)) continue;
        // One that goes at this moment is left out, and stays while we write to it.
        if (!tx.tryLock(channelKey(definition.name), 'share')) continue;
        made.push({ channel: definition.name, source, notice, since });
      }
    }
    made.sort((a, b) => a.since - b.since || byText(a.source, b.source) || byText(a.channel, b.channel));
    return insert(tx, ids, made.slice(0, limit), nowMs);
  });
}

interface Made {
  readonly channel: string;
  readonly source: string;
  readonly notice: Notice;
}

function insert(tx: MemoryTransaction, ids: IdSource, made: readonly Made[], nowMs: number): number {
  const rows = made.map((one) => ({ ...one, id: ids.next('ntf') }));
  const fresh = rows.filter(({ channel, source }) => !isMade(tx, channel, source));
  for (const { id, channel, source, notice } of fresh) {
    const { promotion, environment } = notice.data;
    tx.put(tx.state.deliveries, id, {
      id,
      channel,
      source,
      // As the facts had it.
      promotionId: promotion as Delivery['promotionId'],
      environment,
      notice,
      state: 'pending',
      attemptCount: 0,
      createdAtMs: nowMs,
      openedAtMs: nowMs,
      dueAtMs: nowMs,
      lastAttemptAtMs: null,
      message: '',
      endedAtMs: null,
    });
  }
  return fresh.length;
}

function isMade(tx: View, channel: string, source: string): boolean {
  return [...tx.rows(tx.state.deliveries)].some((row) => row.channel === channel && row.source === source);
}

function takeDue(tx: MemoryTransaction, nowMs: number, wish: ClaimWish): readonly DueDelivery[] {
  const found: DueDelivery[] = [];
  for (const { definition } of sortedChannels(tx)) {
    let room = wish.channelLimit - (wish.underWay.get(definition.name) ?? 0);
    for (const delivery of deliveriesIn(tx).sort(byDue)) {
      const isDue = delivery.channel === definition.name && delivery.dueAtMs !== null && delivery.dueAtMs <= nowMs;
      if (room <= 0 || !isDue || !tx.tryLock(deliveryKey(delivery.id))) continue;
      room -= 1;
      found.push({ delivery, channel: definition });
    }
  }
  const taken = found.sort((a, b) => byDue(a.delivery, b.delivery)).slice(0, wish.limit);
  return taken.map(({ delivery, channel }) => {
    const claimed = claimDelivery(delivery, channel.transport, nowMs);
    change(tx, claimed);
    return { delivery: claimed, channel };
  });
}

interface Answered {
  readonly answer: DeliveryAnswer;
  readonly jitter: number;
}

function record(session: MemorySession, claimed: Delivery, { answer, jitter }: Answered): Promise<Delivery | null> {
  return session.statement('settle', async (tx, nowMs) => {
    await session.lock(deliveryKey(claimed.id));
    const current = deliveriesIn(tx).find(({ id }) => id === claimed.id);
    if (current?.state !== 'pending' || current.attemptCount !== claimed.attemptCount) return null;
    const settled = settleDelivery(current, answer, { nowMs, jitter });
    change(tx, settled);
    return settled;
  });
}

function prune(tx: MemoryTransaction, beforeMs: number, limit: number): number {
  const old = deliveriesIn(tx)
    .filter(({ endedAtMs }) => endedAtMs !== null && endedAtMs < beforeMs)
    .sort((a, b) => (a.endedAtMs ?? 0) - (b.endedAtMs ?? 0))
    .slice(0, limit);
  for (const { id } of old) tx.remove(tx.state.deliveries, id);
  return old.length;
}

function healthOf(tx: View, { seenSeq: _own, ...known }: StoredChannel): ChannelHealth {
  const own = deliveriesIn(tx).filter(({ channel }) => channel === known.definition.name);
  const pending = own.filter(({ state }) => state === 'pending');
  const delivered = own.flatMap(({ state, endedAtMs }) =>
    state === 'delivered' && endedAtMs !== null ? [endedAtMs] : [],
  );
  const [failed] = own
    .filter(({ state, attemptCount }) => state !== 'delivered' && attemptCount > 0)
    .sort((a, b) => (b.lastAttemptAtMs ?? 0) - (a.lastAttemptAtMs ?? 0));
  return {
    ...known,
    pendingCount: pending.length,
    deadCount: own.filter(({ state }) => state === 'dead').length,
    oldestPendingAtMs: pending.length === 0 ? null : Math.min(...pending.map(({ createdAtMs }) => createdAtMs)),
    failingCount: pending.filter(({ message }) => message !== '').length,
    lastDeliveredAtMs: delivered.length === 0 ? null : Math.max(...delivered),
    lastFailure: failed?.message ?? '',
  };
}

function factsOf(tx: View, { promotion }: StoredPromotion, atMs: number): NoticeFacts {
  const { id, environment, releaseId, requestedBy, definition } = promotion;
  const releaseName = tx.get(tx.state.releases, releaseId)?.name ?? releaseOf(tx.state, releaseId).name;
  return { atMs, promotionId: id, environment, releaseName, requestedBy, gates: definition.gates };
}

function change(tx: MemoryTransaction, delivery: Delivery): void {
  const row = tx.get(tx.state.deliveries, delivery.id);
  if (row) tx.put(tx.state.deliveries, delivery.id, { ...row, ...delivery });
}

function deliveriesIn(tx: View): Delivery[] {
  return [...tx.rows(tx.state.deliveries)].map(({ source: _own, ...delivery }) => delivery);
}

function sortedChannels(tx: View): StoredChannel[] {
  return [...tx.rows(tx.state.channels)].sort((a, b) => byText(a.definition.name, b.definition.name));
}

function byDue(a: Delivery, b: Delivery): number {
  return (a.dueAtMs ?? 0) - (b.dueAtMs ?? 0) || byText(a.id, b.id);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
