/**
 * What may be looked at, and drawn, only while the environment's row is locked (safety S1, S2, S8). The row is locked by
 * one statement and everything else read by later ones, so that they see what the holder before us has committed.
 */
import type { EnvironmentGuard, LockHolder, Waiter } from '@stella/domain';
import { QUOTA_USE, type RawQuotaUse, toQuotaUse } from './quota-rows.ts';
import type { Session, Statement } from './connection.ts';
import { InstallationReplaced, IS_REPLACED } from './installation.ts';
import { IS_STALE } from './lock-rows.ts';

const LOCK_ENVIRONMENT: Statement = {
  name: 'environment_lock',
  text: 'select name from environments where name = $1 for update',
};

const READ_GUARD: Statement = {
  name: 'guard_read',
  text: `select nextval('ticket_numbers') as ticket, nextval('fence_numbers') as fence_n, i.epoch as fence_epoch,
      ${IS_REPLACED} as is_replaced,
      date_trunc('milliseconds', clock_timestamp()) as now,
      (select json_build_object('lock_id', l.id, 'promotion_id', l.promotion_id,
          'is_stale', ${IS_STALE})
        from locks l join promotions p on p.id = l.promotion_id left join workers w on w.id = p.worker_id
        where l.mode = 'exclusive' and l.released_at is null and l.promotion_id <> $2
          and (l.resource = 'environment:' || $1 or (p.environment = $1 and case
            when e.concurrency = 'exclusive' then l.resource like 'environment:' || $1 || '/%'
            else l.resource in (select 'environment:' || $1 || '/' || c.name from release_components c
              where c.release_id = own.release_id) end))
        order by l.id limit 1) as holder,
      (select coalesce(json_agg(json_build_object('promotion_id', p.id, 'ticket', p.ticket, 'priority', p.priority,
          'components', (select json_agg(c.name order by c.name) from release_components c
            where c.release_id = p.release_id)) order by p.ticket), '[]')
        from promotions p
        where p.environment = $1 and p.ended_at is null and p.ticket is not null and p.step = 'acquire_locks'
          and p.id <> $2) as waiters,
      ${QUOTA_USE} as quota
    from installation i join promotions own on own.id = $2 left join environments e on e.name = $1`,
};

export interface GuardRead {
  readonly guard: EnvironmentGuard;
  /** Read after the row was locked. */
  readonly nowMs: number;
}

export async function lockEnvironment(session: Session, environment: string): Promise<void> {
  await session.rows(LOCK_ENVIRONMENT, [environment]);
}

/**
 * After `lockEnvironment` only. Each call draws a ticket and a fence; unused ones leave a gap. Throws
 * `InstallationReplaced` when the fence would have the epoch of a database that is no more.
 */
export async function readGuard(session: Session, environment: string, promotionId: string): Promise<GuardRead> {
  const [row] = await session.rows(READ_GUARD, [environment, promotionId]);
  if (row?.['is_replaced'] === true) throw new InstallationReplaced();
  // Shapes of our own statement.
  const holder = row?.['holder'] as {
    lock_id: LockHolder['lockId'];
    promotion_id: LockHolder['promotionId'];
    is_stale: boolean;
  } | null;
  const waiters = row?.['waiters'] as readonly {
    promotion_id: Waiter['promotionId'];
    ticket: number;
    priority: Waiter['priority'];
    components: Waiter['components'];
  }[];
  return {
    nowMs: Number(row?.['now']),
    guard: {
      holder: holder ? { lockId: holder.lock_id, promotionId: holder.promotion_id, isStale: holder.is_stale } : null,
      waiters: waiters.map(({ promotion_id, ...waiter }) => ({ promotionId: promotion_id, ...waiter })),
      quota: toQuotaUse(environment, row?.['quota'] as RawQuotaUse | null),
      ticket: Number(row?.['ticket']),
      fence: { epoch: Number(row?.['fence_epoch']), n: Number(row?.['fence_n']) },
    },
  };
}
