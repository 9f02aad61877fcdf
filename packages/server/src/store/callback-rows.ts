/** What services that call back have taken, and what they said. Both are written once. */
import { type GateRunId, type PromotionId, toRfc3339 } from '@stella/domain';
import type { NewCallback } from '../ports/command-store.ts';
import type { DebtStore } from '../ports/debt-store.ts';
import type { CallbackPlace } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';

const ACKNOWLEDGE: Statement = {
  name: 'acknowledgements_insert',
  text: `insert into gate_acknowledgements (operation_id, acknowledged_at)
    select unnest($1::text[]), date_trunc('milliseconds', clock_timestamp()) on conflict (operation_id) do nothing`,
};

/** Waits for another transaction that keeps the same id or operation at this moment, and then sees which it was. */
const INSERT: Statement = {
  name: 'callback_insert',
  text: `insert into gate_callbacks (operation_id, gate_run_id, webhook_id, verdict, message, body, received_at)
    values ($1, $2, $3, $4, $5, $6, date_trunc('milliseconds', clock_timestamp())) on conflict do nothing
    returning operation_id`,
};

const FIND_ID: Statement = {
  name: 'callback_find_id',
  text: 'select operation_id from gate_callbacks where gate_run_id = $1 and webhook_id = $2',
};

const FIND: Statement = {
  name: 'callback_find',
  text: 'select verdict, message from gate_callbacks where operation_id = $1',
};

/** A debt's operation is its id and for which time it is asked. */
const FIND_PLACE: Statement = {
  name: 'callback_place',
  text: `select a.promotion_id, a.gate_run_id, a.subject as gate, false as is_debt
      from attempts a where a.operation_id = $1 and a.purpose = 'gate' and a.gate_run_id is not null
    union all
    select d.promotion_id, d.gate_run_id, d.gate, true
      from gate_debts d where d.id = split_part($1, '.', 1) and d.id || '.' || d.ask_count = $1 and d.state = 'open'`,
};

/** The collector may not have read yet what was said of an open debt. */
const PRUNE_CALLBACKS: Statement = {
  name: 'callbacks_prune',
  text: `delete from gate_callbacks where operation_id in (
      select c.operation_id from gate_callbacks c where c.received_at < $1 and not exists (
        select from gate_debts d where d.id = split_part(c.operation_id, '.', 1) and d.state = 'open')
      order by c.received_at, c.operation_id collate "C" limit $2)`,
};

/** While a promotion lives, they say that nobody need ask again. */
const PRUNE_ACKNOWLEDGEMENTS: Statement = {
  name: 'acknowledgements_prune',
  text: `delete from gate_acknowledgements where operation_id in (
      select k.operation_id from gate_acknowledgements k join attempts a using (operation_id)
      join promotions p on p.id = a.promotion_id where k.acknowledged_at < $1 and p.ended_at is not null
      order by k.acknowledged_at, k.operation_id collate "C" limit $2)`,
};

export async function pruneCallbacks(session: Session, beforeMs: number, limit: number): Promise<void> {
  const before = toRfc3339(beforeMs);
  await session.count(PRUNE_CALLBACKS, [before, limit]);
  await session.count(PRUNE_ACKNOWLEDGEMENTS, [before, limit]);
}

export async function insertAcknowledgements(session: Session, operationIds: readonly string[]): Promise<void> {
  if (operationIds.length > 0) await session.rows(ACKNOWLEDGE, [operationIds]);
}

export async function insertCallbackRow(
  session: Session,
  { operationId, gateRunId, webhookId, verdict, message, body }: NewCallback,
): Promise<'written' | 'replayed' | 'answered'> {
  const written = await session.rows(INSERT, [operationId, gateRunId, webhookId, verdict, message, body]);
  if (written.length > 0) return 'written';
  const known = await session.rows(FIND_ID, [gateRunId, webhookId]);
  return known.length > 0 ? 'replayed' : 'answered';
}

export async function findCallbackRow(session: Session, operationId: string): ReturnType<DebtStore['findCallback']> {
  const [row] = await session.rows(FIND, [operationId]);
  if (!row) return null;
  return { outcome: row['verdict'] === 'passed' ? 'passed' : 'failed', message: String(row['message']) };
}

export async function findCallbackPlaceRow(session: Session, operationId: string): Promise<CallbackPlace | null> {
  const [row] = await session.rows(FIND_PLACE, [operationId]);
  if (!row) return null;
  return {
    // Ids that our own statements wrote.
    promotionId: String(row['promotion_id']) as PromotionId,
    gateRunId: String(row['gate_run_id']) as GateRunId,
    gate: String(row['gate']),
    isDebt: row['is_debt'] === true,
  };
}
