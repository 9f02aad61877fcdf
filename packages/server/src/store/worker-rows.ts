/**
 * Workers and their claims: who lives, who has died, what is due (safety L1, L2). Each type assertion is on a column that
 * only our own statements write, from checked values.
 */
import type { PromotionId, WorkerId } from '@stella/domain';
import {
  type Claim,
  type DueWork,
  type OwnedScope,
  SUSPECT_FAILURES,
  type WorkerSession,
} from '../ports/engine-store.ts';
import type { WorkerRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { IS_PAYABLE, PAY_OWED } from './owed-wakes.ts';

const REGISTER: Statement = {
  name: 'worker_register',
  text: `insert into workers (id, hostname, version, state, started_at, heartbeat_at, lease_until_at, session_pid,
      backend_start_at, postmaster_start_at)
    values ($1, $2, $3, 'live', now(), now(), now() + $4 * interval '1 millisecond', $5, $6, $7)`,
};

const RENEW: Statement = {
  name: 'worker_renew',
  text: `update workers set heartbeat_at = now(), lease_until_at = now() + $2 * interval '1 millisecond'
    where id = $1 and state = 'live'`,
};

/**
 * Dead: the lease ran out, or the session by which a process shows that it lives is gone while the postmaster is still
 * the same one. After a postmaster's restart sessions prove nothing, and the lease decides.
 *
 * What a dead worker has is due, also what it claimed or wrote at the very moment of its burial, which the next look
 * finds. Wake-ups that a process owed and did not give before it died (`owed-wakes.ts`) are given here.
 *
 * No row is waited for: a server that hangs in the middle of a transaction would hold up every takeover. A worker, a
 * claim or a wake-up whose row is held is found by the next look.
 */
const BURY: Statement = {
  name: 'workers_bury',
  text: `with dead as (
      update workers set state = 'dead' where id in (
        select w.id from workers w
        where w.state = 'live' and w.id <> $1 and (
          w.lease_until_at < now()
          or (w.postmaster_start_at = pg_postmaster_start_time()
            and not exists (select from pg_stat_activity a
              where a.pid = w.session_pid and a.backend_start = w.backend_start_at)))
        for no key update skip locked)
      returning id
    ), freed as (
      update promotions set next_action_at = now(), version = version + 1 where id in (
        select p.id from promotions p
        where p.worker_id is not null and p.next_action_at > now()
          and exists (select from workers w
            where w.id = p.worker_id and (w.state <> 'live' or w.id in (select id from dead)))
        for no key update skip locked)
    ), ${PAY_OWED}, woken as (
      update promotions p set next_action_at = now(), version = version + 1 where ${IS_PAYABLE}
    )
    select id from dead`,
};

/**
 * Free ones are claimed, oldest due first; a promotion of a worker that did not give it back is a takeover. One whose
 * workers died so often that it may be the cause is a suspect: claimed one at a time, so that it takes no other down with
 * it again (safety L8). Beside them what is this worker's already, and due or, with `all`, whatever it is. A worker that was declared dead, and does not
 * know it yet, gets nothing.
 */
const TAKE_DUE: Statement = {
  name: 'due_take',
  text: `with due as (
      select p.id, p.worker_id from promotions p
      where p.ended_at is null and p.next_action_at <= now()
        and (p.worker_id is null or p.worker_id in (select id from workers where state <> 'live'))
        and p.claim_failures < $3 and not exists (select from workers m where m.id = $1 and m.state <> 'live')
      order by p.next_action_at limit $2 for update skip locked
    ), suspect as (
      select p.id, p.worker_id from promotions p
      where p.ended_at is null and p.next_action_at <= now() and p.claim_failures >= $3
        and (p.worker_id is null or p.worker_id in (select id from workers where state <> 'live'))
        and not exists (select from promotions o where o.worker_id = $1 and o.claim_failures >= $3)
        and not exists (select from workers m where m.id = $1 and m.state <> 'live')
      order by p.next_action_at limit least($2, 1) for update skip locked
    ), claimed as (
      update promotions p set worker_id = $1, claim_epoch = p.claim_epoch + 1, version = p.version + 1,
        next_action_at = now() + interval '1 minute',
        claim_failures = p.claim_failures + case when free.worker_id is null then 0 else 1 end
      from (select * from due union all select * from suspect) free where p.id = free.id
      returning p.id, p.claim_epoch, p.claim_failures,
        free.worker_id is not null or p.set_aside_at is not null as is_takeover
    ), owned as (
      select id, claim_epoch, claim_failures from promotions
      where worker_id = $1 and next_action_at <= case when $4 then 'infinity'::timestamptz else now() end
      order by next_action_at limit 1000
    )
    select id, claim_epoch, claim_failures, is_takeover, true as is_new from claimed
    union all select id, claim_epoch, claim_failures, true, false from owned`,
};

/** What has no operation under way goes back; the rest is left for a takeover, which looks its outcome up. */
const GIVE_BACK: Statement = {
  name: 'promotions_give_back',
  text: `update promotions p set next_action_at = now(), version = version + 1,
      worker_id = case when exists (select from attempts a where a.promotion_id = p.id and a.fence_n is not null
        and a.purpose in ('deploy', 'rollback')
        and not exists (select from attempt_outcomes o where o.operation_id = a.operation_id and not o.is_late))
        then p.worker_id end
    where p.worker_id = $1`,
};

const RETIRE: Statement = {
  name: 'worker_retire',
  text: `update workers set state = 'retired', lease_until_at = now() where id = $1 and state = 'live'`,
};

const LIST: Statement = {
  name: 'worker_list',
  text: `select w.id, w.hostname, w.version, w.state, w.started_at, w.heartbeat_at, w.lease_until_at,
      (select count(*) from promotions p where p.worker_id = w.id) as claim_count
    from workers w
    where w.state = 'live' or w.heartbeat_at > now() - interval '1 hour'
    order by w.state <> 'live', w.started_at desc limit 100`,
};

export interface NewWorker {
  readonly id: WorkerId;
  readonly session: WorkerSession;
  readonly hostname: string;
  readonly version: string;
  readonly leaseTtlMs: number;
}

export async function insertWorker(session: Session, worker: NewWorker): Promise<void> {
  const { pid, backendStart, postmasterStart } = worker.session;
  await session.rows(REGISTER, [
    worker.id,
    worker.hostname,
    worker.version,
    worker.leaseTtlMs,
    pid,
    backendStart,
    postmasterStart,
  ]);
}

/** False: it is no longer live. */
export async function renewWorker(session: Session, id: WorkerId, leaseTtlMs: number): Promise<boolean> {
  return (await session.count(RENEW, [id, leaseTtlMs])) === 1;
}

export async function buryWorkers(session: Session, id: WorkerId): Promise<readonly WorkerId[]> {
  return (await session.rows(BURY, [id])).map((row) => row['id'] as WorkerId);
}

export async function takeDueRows(
  session: Session,
  id: WorkerId,
  limit: number,
  scope: OwnedScope = 'due',
): Promise<DueWork> {
  const rows = await session.rows(TAKE_DUE, [id, limit, SUSPECT_FAILURES, scope === 'all']);
  const claimed: Claim[] = [];
  const owned: Claim[] = [];
  for (const row of rows) {
    const list = row['is_new'] === true ? claimed : owned;
    list.push({
      promotionId: row['id'] as PromotionId,
      claimEpoch: Number(row['claim_epoch']),
      isTakeover: row['is_takeover'] === true,
      failureCount: Number(row['claim_failures']),
    });
  }
  return { claimed, owned };
}

export async function retireWorkerRow(session: Session, id: WorkerId): Promise<void> {
  await Promise.all([session.rows(RETIRE, [id]), session.rows(GIVE_BACK, [id])]);
}

/** The live ones, and those that were live within the last hour. */
export async function listWorkerRows(session: Session): Promise<readonly WorkerRow[]> {
  const rows = await session.rows(LIST);
  return rows.map((row) => ({
    id: row['id'] as WorkerId,
    hostname: String(row['hostname']),
    version: String(row['version']),
    state: row['state'] as WorkerRow['state'],
    startedAtMs: Number(row['started_at']),
    heartbeatAtMs: Number(row['heartbeat_at']),
    leaseUntilMs: Number(row['lease_until_at']),
    claimCount: Number(row['claim_count']),
  }));
}
