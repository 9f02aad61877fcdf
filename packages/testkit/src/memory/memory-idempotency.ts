/** One effect and one answer per Idempotency-Key, actor and route (safety S12). */
import { isPlanted, AppError } from '@stella/domain';
import type { IdempotencyRequest, StoredAnswer } from '@stella/server';
import { DatabaseRefusal } from './database-refusal.ts';
import type { MemorySession } from './memory-session.ts';

/** A request with the same key that is still running is waited for so long, then it is "in flight". */
const PATIENCE_MS = 1_000;

/** Null: the key is ours and the work is to be done. Else the answer that was kept. */
export async function reserveKey(
  session: MemorySession,
  request: IdempotencyRequest,
  nowMs: number,
): Promise<StoredAnswer | null> {
  const key = keyOf(request);
  const { bodyHash } = request;
  const isOurs = await session.statement('reserveKey', async (tx) => {
    const { idempotencyKeys } = tx.state;
    if (isPlanted('idempotency.ignored')) return true;
    if (tx.get(idempotencyKeys, key)) return false;
    await lockPatiently(session, `idempotency_keys ${key}`);
    if (tx.get(idempotencyKeys, key)) return false;
    tx.put(idempotencyKeys, key, { bodyHash, createdAtMs: nowMs, answer: null });
    return true;
  });
  if (isOurs) return null;
  const kept = await session.statement('readKey', (tx) => tx.get(tx.state.idempotencyKeys, key));
  if (!kept?.answer) throw new AppError('idempotency.in_flight');
  if (kept.bodyHash !== bodyHash) throw new AppError('idempotency.mismatch');
  return kept.answer;
}

async function lockPatiently(session: MemorySession, key: string): Promise<void> {
  try {
    await session.lock(key, 'update', PATIENCE_MS);
  } catch (error) {
    const isTooLong = error instanceof DatabaseRefusal && error.code === '55P03';
    throw isTooLong ? new AppError('idempotency.in_flight', { cause: error }) : error;
  }
}

export async function storeAnswer(
  session: MemorySession,
  request: IdempotencyRequest,
  answer: StoredAnswer,
): Promise<void> {
  const key = keyOf(request);
  await session.statement('storeAnswer', (tx) => {
    const reserved = tx.get(tx.state.idempotencyKeys, key);
    // As JSON keeps it, so that whoever was given the answer can no longer change it.
    const kept: StoredAnswer = { status: answer.status, body: JSON.parse(JSON.stringify(answer.body)) };
    if (reserved) tx.put(tx.state.idempotencyKeys, key, { ...reserved, answer: kept });
  });
}

function keyOf({ actorId, route, key }: IdempotencyRequest): string {
  return `${actorId} ${route} ${key}`;
}
