/** Audit events: written in the transaction of the change they tell of, never changed (safety S6, S13). */
import { type ChainedEvent, toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';

/** Takes `toEventRows`. */
export const INSERT_EVENTS: Statement = {
  name: 'events_insert',
  text: `insert into events (promotion_id, promotion_seq, type, actor, subject, data, at, hash)
    select e.* from json_to_recordset($1) as e (promotion_id text, promotion_seq bigint, type text, actor jsonb,
      subject text, data jsonb, at timestamptz, hash text)`,
};

/** All events of one transaction, in their order. */
export async function insertEvents(session: Session, events: readonly ChainedEvent[]): Promise<void> {
  if (events.length > 0) await session.rows(INSERT_EVENTS, [toEventRows(events)]);
}

/** As the JSON that `INSERT_EVENTS` takes. */
export function toEventRows(events: readonly ChainedEvent[]): string {
  const rows = events.map((event) => ({
    promotion_id: event.promotionId,
    promotion_seq: event.promotionSeq,
    type: event.type,
    actor: event.actor,
    subject: event.subject,
    data: event.data,
    at: toRfc3339(event.atMs),
    hash: event.hash,
  }));
  return JSON.stringify(rows);
}
