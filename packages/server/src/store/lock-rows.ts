/** Locks as others see them: who holds, who waits, whether anybody still works for the holder. */
import type { LockId, LockHolder, PromotionId } from '@stella/domain';
import type { LockRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull } from './row-values.ts';

/**
 * Nobody works for the holder `p` with its worker `w` (domain, "stale"): it ended, or for longer than a takeover may last
 * (20 s, safety L2) its claim has been over, or it has been due and unclaimed.
 */
export const IS_STALE = `(p.ended_at is not null or case
  when p.worker_id is null then p.next_action_at < now() - interval '20 seconds'
  else w.lease_until_at < now() - interval '20 seconds'
    or (w.state <> 'live' and p.next_action_at < now() - interval '20 seconds') end)`;

const FIND_HOLDER: Statement = {
  name: 'lock_holder',
  text: `select l.promotion_id, ${IS_STALE} as is_stale
    from locks l join promotions p on p.id = l.promotion_id left join workers w on w.id = p.worker_id
    where l.id = $1 and l.released_at is null`,
};

const FIND_BY_START: Statement = {
  name: 'lock_by_start',
  text: `select id from locks where id >= $1 and id < $1 || 'g' and released_at is null order by id limit 3`,
};

/** A repeat of the request that released it means the same lock, and gets the same answer (safety S12). */
const FIND_RELEASED_BY_START: Statement = {
  name: 'lock_released_by_start',
  text: `select id from locks where id >= $1 and id < $1 || 'g' and released_at is not null
    order by released_at desc limit 1`,
};

const LIVE_IDS: Statement = {
  name: 'lock_ids',
  text: 'select id from locks where released_at is null order by id limit 500',
};

const LIST: Statement = {
  name: 'lock_list',
  text: `select l.id, l.resource, l.mode, l.promotion_id, p.environment, p.step, p.worker_id, l.fence_epoch, l.fence_n,
      l.acquired_at, w.heartbeat_at, ${IS_STALE} as is_stale,
      (select coalesce(json_agg(o.id order by array_position(array['high', 'normal', 'low'], o.priority), o.ticket), '[]')
       from promotions o
       where l.mode = 'exclusive' and o.environment = p.environment and o.ended_at is null and o.ticket is not null
         and o.step = 'acquire_locks' and (l.resource not like '%/%' or exists (select from release_components c
           where c.release_id = o.release_id and l.resource = 'environment:' || o.environment || '/' || c.name)))
         as waiters
    from locks l join promotions p on p.id = l.promotion_id left join workers w on w.id = p.worker_id
    where l.released_at is null and ($1::text is null or p.environment = $1)
    order by p.environment, l.mode, l.resource, l.id limit 1000`,
};

/** Null when the lock is not live or not known. */
export async function findLockHolderRow(
  session: Session,
  id: LockId,
): Promise<{ promotionId: PromotionId; isStale: boolean } | null> {
  const [row] = await session.rows(FIND_HOLDER, [id]);
  if (!row) return null;
  return { promotionId: row['promotion_id'] as LockHolder['promotionId'], isStale: row['is_stale'] === true };
}

/** Live locks whose id begins so; at most 3. */
/** Live ones; without any, the one that was released last. */
export async function findLocksByStart(session: Session, start: string): Promise<readonly LockId[]> {
  const live = await session.rows(FIND_BY_START, [start]);
  const rows = live.length > 0 ? live : await session.rows(FIND_RELEASED_BY_START, [start]);
  return rows.map((row) => row['id'] as LockId);
}

export async function listLiveLockIds(session: Session): Promise<readonly string[]> {
  return (await session.rows(LIVE_IDS)).map((row) => String(row['id']));
}

/** All live locks, at most 1,000. */
export async function listLockRows(session: Session, environment: string | null): Promise<readonly LockRow[]> {
  const rows = await session.rows(LIST, [environment]);
  return rows.map((row) => ({
    // Written by us from checked values.
    id: row['id'] as LockRow['id'],
    resource: String(row['resource']),
    mode: row['mode'] as LockRow['mode'],
    promotionId: row['promotion_id'] as LockRow['promotionId'],
    environment: String(row['environment']),
    step: row['step'] as LockRow['step'],
    workerId: row['worker_id'] as LockRow['workerId'],
    fence: { epoch: Number(row['fence_epoch']), n: Number(row['fence_n']) },
    acquiredAtMs: Number(row['acquired_at']),
    heartbeatAtMs: numberOrNull(row['heartbeat_at']),
    isStale: row['is_stale'] === true,
    waiters: row['waiters'] as LockRow['waiters'],
  }));
}
