/**
 * Wake-ups that a transaction owes. Whoever waits for an environment is woken in the transaction that releases it, but
 * rows that others hold are skipped: waiting for them with the environment's row in hand could be a circle. Such a holder
 * may write nothing (its claim is lost, its command is refused), so after the commit the skipped ones are woken again,
 * this time waiting for their rows (safety L4). Should the process die in between, its burial wakes the queues.
 */
import { toRfc3339 } from '@stella/domain';
import { autocommit, type Database, type Session, type Statement, transact } from './connection.ts';

/** Those that wait for the environment and sleep: after its wake-up, in the same transaction, the skipped ones. */
const FIND_ASLEEP: Statement = {
  name: 'promotions_asleep',
  text: `select id from promotions where environment = $1 and id <> $2 and ended_at is null and next_action_at > $3
    and worker_id is null and step in ('evaluate_gates', 'acquire_locks')`,
};

const WAKE_SKIPPED: Statement = {
  name: 'promotions_wake_skipped',
  text: `update promotions set next_action_at = now(), version = version + 1
    where id = any ($1) and ended_at is null and next_action_at > now() and worker_id is null
      and step in ('evaluate_gates', 'acquire_locks')`,
};

export interface Waker {
  readonly environment: string;
  readonly promotionId: string;
  readonly atMs: number;
}

/** To be asked after the wake-up, in its transaction. */
export async function findSkipped(session: Session, { environment, promotionId, atMs }: Waker): Promise<string[]> {
  const rows = await session.rows(FIND_ASLEEP, [environment, promotionId, toRfc3339(atMs)]);
  return rows.map((row) => String(row['id']));
}

/** As `transact`; `owed` takes the ids of those whom the work could not wake. What was committed is never failed here. */
export async function transactAndWake<T>(
  database: Database,
  work: (session: Session, owed: string[]) => Promise<T>,
): Promise<T> {
  const owed: string[] = [];
  const result = await transact(database, (session) => work(session, owed));
  if (owed.length === 0) return result;
  try {
    await autocommit(database, (session) => session.rows(WAKE_SKIPPED, [owed]));
  } catch (error) {
    // They look again by themselves within 15 s.
    database.logger.warn({ error, promotions: owed.length }, 'promotions that wait could not be woken');
  }
  return result;
}
