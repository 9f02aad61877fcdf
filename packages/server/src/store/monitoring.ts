/**
 * What monitoring asks beside the counts: who stalls, who works, and how the database is. Bounded lists, one statement.
 * Type assertions are on columns that only our own statements write, from checked values.
 */
import type { PromotionId, WorkerId } from '@stella/domain';
import type { MonitoringFacts, MonitoringLimits } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';

/** Ways in which what began to deploy may have ended. */
const DEPLOYED = `array['completed', 'failed', 'cancelled', 'rolled_back']`;
/**
 * Newest of each status in an environment that are looked at for the newest deployment, until one has come to its targets: a
 * failed or cancelled one may never have. By the index of environment and status, so that history costs nothing.
 */
const LOOKED_AT_OF_STATUS = 50;

/** The stall clock is the later of the last progress and the last entry into in_progress, as everywhere. */
const MONITORING: Statement = {
  name: 'monitoring_facts',
  text: `select clock_timestamp() as now,
      (select coalesce(json_agg(s), '[]') from (select id, environment,
          extract(epoch from clock_timestamp() - greatest(last_progress_at, in_progress_since_at)) * 1000 as stalled_ms
        from promotions where ended_at is null and status = 'in_progress'
          and greatest(last_progress_at, in_progress_since_at) < now() - coalesce(
            (select value from settings where key = 'stuck.after'), $1) * interval '1 millisecond'
        order by greatest(last_progress_at, in_progress_since_at), id limit $2) s) as stalled,
      (select coalesce(json_agg(f), '[]') from (select e.name as environment, d.id
        from environments e cross join lateral (select n.id, n.kind, n.status, n.ending_code
          from unnest(${DEPLOYED}) w (status) cross join lateral (select p.*
            from (select q.id, q.kind, q.status, q.ending_code from promotions q
              where q.environment = e.name and q.status = w.status order by q.id desc limit ${LOOKED_AT_OF_STATUS}) p
            join promotion_steps s on s.promotion_id = p.id and s.step = 'deploy' and s.started_at is not null
            order by p.id desc limit 1) n
          order by n.id desc limit 1) d
        where d.status <> 'completed' and (d.kind = 'rollback' or d.ending_code = 'rollback.failed')
        order by e.name limit 100) f) as failed_rollbacks,
      (select count(*) from workers where state = 'live' and lease_until_at > now()) as live_workers,
      (select coalesce(json_agg(w), '[]') from (select id, hostname,
          extract(epoch from clock_timestamp() - heartbeat_at) * 1000 as heartbeat_age_ms
        from workers where state = 'live' and lease_until_at > now() order by started_at, id limit $3) w) as workers,
      (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
      current_setting('max_connections')::int as connections_max,
      pg_database_size(current_database()) as size_bytes,
      not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off' as is_writable`,
};

export async function readMonitoringFacts(
  session: Session,
  stuckAfterMs: number,
  limits: MonitoringLimits,
): Promise<MonitoringFacts> {
  const [row] = await session.rows(MONITORING, [stuckAfterMs, limits.stalledCount, limits.workerCount]);
  // Both as the statement above makes them.
  const stalled = (row?.['stalled'] ?? []) as readonly StalledColumns[];
  // See above.
  const workers = (row?.['workers'] ?? []) as readonly WorkerColumns[];
  // See above.
  const failed = (row?.['failed_rollbacks'] ?? []) as readonly { environment: string; id: PromotionId }[];
  return {
    stalled: stalled.map(({ id, environment, stalled_ms }) => ({
      promotionId: id,
      environment,
      stalledMs: stalled_ms,
    })),
    failedRollbacks: failed.map(({ environment, id }) => ({ environment, promotionId: id })),
    liveWorkerCount: Number(row?.['live_workers']),
    liveWorkers: workers.map(({ id, hostname, heartbeat_age_ms }) => ({
      id,
      hostname,
      heartbeatAgeMs: Math.max(0, heartbeat_age_ms),
    })),
    database: {
      nowMs: Number(row?.['now']),
      isWritable: row?.['is_writable'] === true,
      connectionCount: Number(row?.['connections']),
      connectionCountMax: Number(row?.['connections_max']),
      sizeBytes: Number(row?.['size_bytes']),
    },
  };
}

interface StalledColumns {
  readonly id: PromotionId;
  readonly environment: string;
  readonly stalled_ms: number;
}

interface WorkerColumns {
  readonly id: WorkerId;
  readonly hostname: string;
  readonly heartbeat_age_ms: number;
}
