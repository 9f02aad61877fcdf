/** One effect and one answer per Idempotency-Key, actor and route (safety S12). The key's row is the effect's own. */
import { AppError, toRfc3339 } from '@stella/domain';
import type { IdempotencyRequest, StoredAnswer } from '../ports/command-store.ts';
import { type Session, sqlState, type Statement } from './connection.ts';

/** A request with the same key that is still running is waited for so long, then it is "in flight". */
const SET_PATIENCE: Statement = { name: 'idempotency_patience', text: "set local lock_timeout = '1s'" };
const RESET_PATIENCE: Statement = { name: 'idempotency_patience_end', text: 'set local lock_timeout to default' };

const RESERVE: Statement = {
  name: 'idempotency_reserve',
  text: `insert into idempotency_keys (actor_id, route, key, body_hash, created_at) values ($1, $2, $3, $4, $5)
    on conflict do nothing returning 1 as is_ours`,
};
const READ: Statement = {
  name: 'idempotency_read',
  text: 'select body_hash, status, answer from idempotency_keys where actor_id = $1 and route = $2 and key = $3',
};
const STORE: Statement = {
  name: 'idempotency_store',
  text: `update idempotency_keys set status = $4, answer = $5 where actor_id = $1 and route = $2 and key = $3`,
};

/** Null: the key is ours and the work is to be done. Else the answer that was kept. */
export async function reserveKey(
  session: Session,
  { actorId, route, key, bodyHash }: IdempotencyRequest,
  nowMs: number,
): Promise<StoredAnswer | null> {
  await session.rows(SET_PATIENCE);
  let reserved: readonly unknown[];
  try {
    reserved = await session.rows(RESERVE, [actorId, route, key, bodyHash, toRfc3339(nowMs)]);
  } catch (error) {
    if (sqlState(error) === '55P03') throw new AppError('idempotency.in_flight', { cause: error });
    throw error;
  }
  await session.rows(RESET_PATIENCE);
  if (reserved.length > 0) return null;
  const kept = await readAnswer(session, { actorId, route, key, bodyHash });
  if (!kept) throw new AppError('idempotency.in_flight');
  return kept;
}

/** Null: no request with this key has ended. Errors: `idempotency.mismatch`. */
export async function readAnswer(
  session: Session,
  { actorId, route, key, bodyHash }: IdempotencyRequest,
): Promise<StoredAnswer | null> {
  const [row] = await session.rows(READ, [actorId, route, key]);
  if (!row || row['status'] === null) return null;
  if (row['body_hash'] !== bodyHash) throw new AppError('idempotency.mismatch');
  return { status: Number(row['status']), body: row['answer'] };
}

export async function storeAnswer(
  session: Session,
  { actorId, route, key }: IdempotencyRequest,
  answer: StoredAnswer,
): Promise<void> {
  await session.rows(STORE, [actorId, route, key, answer.status, JSON.stringify(answer.body)]);
}
