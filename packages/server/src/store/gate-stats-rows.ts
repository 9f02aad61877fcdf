/** How a gate's service has answered of late, by environment: over all promotions, from the index `attempts_gate`. */
import type { GateStats } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull } from './row-values.ts';

/** Newest attempts that are looked at: so the cost is the same however many promotions there are. */
export const GATE_ATTEMPTS_MAX = 5_000;

const STATS: Statement = {
  name: 'gate_stats',
  text: `with recent as materialized (
      select operation_id, promotion_id, started_at from attempts
      where purpose = 'gate' and subject = $1 and started_at > now() - $2::bigint * interval '1 millisecond'
      order by started_at desc limit ${GATE_ATTEMPTS_MAX}
    ), timed as (
      select p.environment, o.outcome, extract(epoch from o.ended_at - r.started_at) * 1000 as duration_ms
      from recent r join promotions p on p.id = r.promotion_id
        left join attempt_outcomes o on o.operation_id = r.operation_id and not o.is_late
      where $3::text is null or p.environment = $3
    )
    select environment, count(*) as attempts, count(*) filter (where outcome = 'passed') as passed,
      count(*) filter (where outcome = 'failed') as failed, count(*) filter (where outcome = 'timeout') as timeouts,
      count(*) filter (where outcome = 'error') as errors, count(*) filter (where outcome is null) as open,
      round(percentile_cont(0.5) within group (order by duration_ms))::bigint as p50,
      round(percentile_cont(0.95) within group (order by duration_ms))::bigint as p95,
      round(max(duration_ms))::bigint as longest, (select count(*) from recent) = ${GATE_ATTEMPTS_MAX} as is_cut
    from timed group by environment order by environment`,
};

export async function readGateStatsRows(
  session: Session,
  {
    gate,
    environment,
    lastMs,
  }: { readonly gate: string; readonly environment: string | null; readonly lastMs: number },
): Promise<readonly GateStats[]> {
  const rows = await session.rows(STATS, [gate, lastMs, environment]);
  return rows.map((row) => ({
    gate,
    environment: String(row['environment']),
    attemptCount: Number(row['attempts']),
    passedCount: Number(row['passed']),
    failedCount: Number(row['failed']),
    timeoutCount: Number(row['timeouts']),
    errorCount: Number(row['errors']),
    openCount: Number(row['open']),
    p50Ms: numberOrNull(row['p50']),
    p95Ms: numberOrNull(row['p95']),
    maxMs: numberOrNull(row['longest']),
    isCut: row['is_cut'] === true,
  }));
}
