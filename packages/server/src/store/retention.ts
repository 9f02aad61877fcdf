/** What goes after its time: idempotency keys, and the events of promotions that ended long ago. */
import { chainEvents, toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { insertEvents } from './event-rows.ts';

/** Promotions whose events go in one call. */
const PROMOTIONS_PER_PRUNE = 100;

const PRUNE_KEYS: Statement = {
  name: 'idempotency_prune',
  text: `delete from idempotency_keys where (actor_id, route, key) in (
      select actor_id, route, key from idempotency_keys where created_at < $1 order by created_at limit $2)`,
};

const PRUNE_EVENTS: Statement = { name: 'events_prune', text: 'select prune_events($1, $2) as count' };

export async function pruneIdempotencyKeys(session: Session, beforeMs: number, limit: number): Promise<number> {
  return session.count(PRUNE_KEYS, [toRfc3339(beforeMs), limit]);
}

/** Whole promotions only; an event tells that they went, so that the gap in the chain is explained. */
export async function pruneEvents(session: Session, nowMs: number, beforeMs: number): Promise<number> {
  const [row] = await session.rows(PRUNE_EVENTS, [toRfc3339(beforeMs), PROMOTIONS_PER_PRUNE]);
  const count = Number(row?.['count'] ?? 0);
  if (count === 0) return 0;
  const { events } = chainEvents({ head: null, length: 0 }, [
    {
      type: 'retention.pruned',
      actor: { kind: 'system', name: 'retention' },
      atMs: nowMs,
      promotionId: null,
      subject: 'events',
      data: { count, endedBefore: toRfc3339(beforeMs) },
    },
  ]);
  await insertEvents(session, events);
  return count;
}
