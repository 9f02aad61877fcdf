/**
 * Sets a poison row aside (safety L8). Reads and writes nothing but what this needs, because the rest of the row may be
 * what no worker can read.
 */
import { type Actor, chainEvents, type Digest, toRfc3339 } from '@stella/domain';
import type { Claim, ClaimFailure } from '../ports/engine-store.ts';
import type { Session, Statement } from './connection.ts';
import { insertEvents } from './event-rows.ts';

/** Looked at again after so long without being asked: by then a newer version may run. */
const LOOK_AGAIN_MS = 10 * 60_000;

/** The clock is read after the lock was got. */
const LOCK: Statement = {
  name: 'set_aside_lock',
  text: `select date_trunc('milliseconds', clock_timestamp()) as now, claim_epoch, environment, chain_head, chain_length
    from promotions where id = $1 and ended_at is null for update`,
};

/** It gets one more try then, and is set aside again when another worker dies with it. */
const WRITE: Statement = {
  name: 'set_aside_write',
  text: `update promotions set worker_id = null, set_aside_at = $2, set_aside_message = $3, next_action_at = $4,
      chain_head = $5, chain_length = $6, version = version + 1, claim_failures = least(claim_failures, $7)
    where id = $1`,
};

/** False: another worker has it, or it ended. */
export async function setAsideRow(
  session: Session,
  { promotionId, claimEpoch }: Claim,
  { message, count }: ClaimFailure,
  actor: Actor,
): Promise<boolean> {
  const [row] = await session.rows(LOCK, [promotionId]);
  if (!row || Number(row['claim_epoch']) !== claimEpoch) return false;
  const atMs = Number(row['now']);
  const lookAgainAt = toRfc3339(atMs + LOOK_AGAIN_MS);
  // Written by us from checked values.
  const position = { head: row['chain_head'] as Digest | null, length: Number(row['chain_length']) };
  const chained = chainEvents(position, [
    {
      type: 'promotion.set_aside',
      actor,
      atMs,
      promotionId,
      subject: String(row['environment']),
      data: { message, attempts: count, lookAgainAt },
    },
  ]);
  await insertEvents(session, chained.events);
  const { head, length } = chained.position;
  await session.rows(WRITE, [promotionId, toRfc3339(atMs), message, lookAgainAt, head, length, count - 1]);
  return true;
}
