/**
 * Wake-ups that a transaction owes. Whoever waits for an environment is woken in the transaction that changes it, but
 * rows that others hold are skipped: waiting for them with the environment's row in hand could be a circle. Such a holder
 * may write nothing (its claim is lost, its command is refused), or what it read before the change. So the transaction
 * writes down whom it skipped, and after the commit they are woken again, this time waiting for their rows (safety L4).
 * Should the process die in between, the worker that next looks for dead ones finds what is still owed.
 */
import { toRfc3339 } from '@stella/domain';
import { autocommit, type Database, type Session, type Statement, transact } from './connection.ts';

/** Those that look again later although the wake-up before it, in the same transaction, was for them: their rows were held. */
const OWE: Statement = {
  name: 'wakes_owe',
  text: `insert into owed_wakes (promotion_id, owed_at)
    select id, clock_timestamp() from promotions where environment = $1 and id <> $2 and ended_at is null
      and next_action_at > $3 and (worker_id is null or $4) and step in ('evaluate_gates', 'acquire_locks')
    returning promotion_id`,
};

/** Waits for their rows. Whoever has one of them claimed is told by its next look for work. */
const WAKE_SKIPPED: Statement = {
  name: 'promotions_wake_skipped',
  text: `with woken as (
      update promotions set next_action_at = now(), version = version + 1
      where id = any ($1) and ended_at is null and next_action_at > now()
        and step in ('evaluate_gates', 'acquire_locks')
    )
    delete from owed_wakes where promotion_id = any ($1)`,
};

/** A process that lives has paid what it owes by then. */
const PAID_AFTER_MS = 1_000;

/** Of one look; the rest is found by the next. So few are found by the promotions' key, whatever the planner believes. */
const PAID_PER_LOOK = 100;

/**
 * For the statement that looks for dead workers: expressions named `owed`, `payable` and `paid`. What it cannot wake, for
 * the row is held, stays owed; so does what is being paid at this moment. A promotion that has ended is paid too, and none
 * is ever deleted, so that no row stays. The table is empty nearly always: it has no index but its key.
 */
export const PAY_OWED = `owed as (
      select id, promotion_id from owed_wakes where owed_at < now() - interval '${PAID_AFTER_MS} milliseconds'
      order by id limit ${PAID_PER_LOOK} for update skip locked
    ), payable as (
      select p.id from promotions p where p.id in (select promotion_id from owed) for no key update skip locked
    ), paid as (
      delete from owed_wakes where id in (select o.id from owed o join payable p on p.id = o.promotion_id)
    )`;

/** Whom `PAY_OWED` wakes. */
export const IS_PAYABLE = `p.id in (select id from payable) and p.ended_at is null and p.next_action_at > now()
          and p.step in ('evaluate_gates', 'acquire_locks')`;

export interface Waker {
  readonly environment: string;
  readonly promotionId: string;
  readonly atMs: number;
  /** Also those that a worker has at this moment were to be woken. */
  readonly wakesClaimed: boolean;
}

/** To be asked after the wake-up, in its transaction. Answers whom it could not wake. */
export async function oweSkipped(session: Session, waker: Waker): Promise<string[]> {
  const { environment, promotionId, atMs, wakesClaimed } = waker;
  const rows = await session.rows(OWE, [environment, promotionId, toRfc3339(atMs), wakesClaimed]);
  return rows.map((row) => String(row['promotion_id']));
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
    // They stay owed, and the next look for dead workers wakes them.
    database.logger.warn({ error, promotions: owed.length }, 'promotions that wait could not be woken');
  }
  return result;
}
