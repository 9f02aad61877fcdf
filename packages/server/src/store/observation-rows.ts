/** What targets were last seen to run. Each type assertion is on a column that only our own statements write. */
import { type ObservedBreak, type TargetObservation, toRfc3339 } from '@stella/domain';
import type { DriftCounts, ObservationFilter } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull, textOrNull } from './row-values.ts';

/** Rows that are shown of one environment, or of all together. */
const LISTED_MAX = 1_000;

const COLUMNS = `o.environment, o.target, o.looked_at, o.looked_by, o.code, o.message, o.unseen_since_at, o.seen_at, o.digest,
  o.is_healthy, o.promised, o.drift_since_at, o.broken_since_at, o.broken_until_at, o.broken_components`;

/** Those with trouble by the index of just them. */
const LIST: Statement = {
  name: 'observation_list',
  text: `select ${COLUMNS} from target_observations o where o.environment = $1 order by o.target limit ${LISTED_MAX}`,
};
const LIST_TROUBLED: Statement = {
  name: 'observation_list_troubled',
  text: `select ${COLUMNS} from target_observations o
    where (o.drift_since_at is not null or o.unseen_since_at is not null)
    order by o.drift_since_at nulls last, o.environment, o.target limit ${LISTED_MAX}`,
};

const COUNT: Statement = {
  name: 'observation_count',
  text: `select r.environment, count(o.drift_since_at) as drifting, count(o.unseen_since_at) as unseen,
      min(o.looked_at) as oldest_look, date_trunc('milliseconds', clock_timestamp()) as now
    from observation_rounds r left join target_observations o on o.environment = r.environment
    group by r.environment
    order by count(o.drift_since_at) = 0, count(o.unseen_since_at) = 0, r.environment limit $1`,
};

const KEEP: Statement = {
  name: 'observations_keep',
  text: `insert into target_observations (environment, target, looked_at, looked_by, code, message, unseen_since_at, seen_at,
      digest, is_healthy, promised, drift_since_at, broken_since_at, broken_until_at, broken_components)
    select $1, o.target, o.looked_at, o.looked_by, o.code, o.message, o.unseen_since_at, o.seen_at, o.digest, o.is_healthy,
      o.promised, o.drift_since_at, o.broken_since_at, o.broken_until_at, o.broken_components
    from jsonb_to_recordset($2::jsonb) o (target text, looked_at timestamptz, looked_by text, code text, message text,
      unseen_since_at timestamptz, seen_at timestamptz, digest text, is_healthy boolean, promised text,
      drift_since_at timestamptz, broken_since_at timestamptz, broken_until_at timestamptz, broken_components jsonb)
    on conflict (environment, target) do update set looked_at = excluded.looked_at, looked_by = excluded.looked_by,
      code = excluded.code, message = excluded.message, unseen_since_at = excluded.unseen_since_at,
      seen_at = excluded.seen_at, digest = excluded.digest, is_healthy = excluded.is_healthy,
      promised = excluded.promised, drift_since_at = excluded.drift_since_at,
      broken_since_at = excluded.broken_since_at, broken_until_at = excluded.broken_until_at,
      broken_components = excluded.broken_components`,
};

const DROP: Statement = {
  name: 'observations_drop',
  text: 'delete from target_observations where environment = $1 and target = any ($2)',
};

export async function listObservationRows(
  session: Session,
  { environment }: ObservationFilter,
): Promise<readonly TargetObservation[]> {
  const rows = await (environment === null ? session.rows(LIST_TROUBLED) : session.rows(LIST, [environment]));
  return rows.map(toObservation);
}

export async function countDriftRows(session: Session, limit: number): Promise<readonly DriftCounts[]> {
  const rows = await session.rows(COUNT, [limit]);
  return rows.map((row) => ({
    environment: String(row['environment']),
    driftCount: Number(row['drifting']),
    unseenCount: Number(row['unseen']),
    oldestLookAtMs: numberOrNull(row['oldest_look']),
    nowMs: Number(row['now']),
  }));
}

export async function keepObservationRows(
  session: Session,
  environment: string,
  { kept, dropped }: { readonly kept: readonly TargetObservation[]; readonly dropped: readonly string[] },
): Promise<void> {
  if (kept.length > 0) await session.rows(KEEP, [environment, JSON.stringify(kept.map(toRow))]);
  if (dropped.length > 0) await session.rows(DROP, [environment, dropped]);
}

function toRow(one: TargetObservation): object {
  const instant = (atMs: number | null): string | null => (atMs === null ? null : toRfc3339(atMs));
  return {
    target: one.target,
    looked_at: toRfc3339(one.lookedAtMs),
    looked_by: one.lookedBy,
    code: one.code,
    message: one.message,
    unseen_since_at: instant(one.unseenSinceMs),
    seen_at: instant(one.seenAtMs),
    digest: one.digest,
    is_healthy: one.isHealthy,
    promised: one.promised,
    drift_since_at: instant(one.driftSinceMs),
    broken_since_at: instant(one.lastBreak?.sinceMs ?? null),
    broken_until_at: instant(one.lastBreak?.untilMs ?? null),
    broken_components: one.lastBreak?.components ?? null,
  };
}

export function toObservation(row: Readonly<Record<string, unknown>>): TargetObservation {
  return {
    environment: String(row['environment']),
    target: String(row['target']),
    lookedAtMs: Number(row['looked_at']),
    lookedBy: String(row['looked_by']),
    code: textOrNull(row['code']) ?? '',
    message: textOrNull(row['message']) ?? '',
    unseenSinceMs: numberOrNull(row['unseen_since_at']),
    seenAtMs: numberOrNull(row['seen_at']),
    digest: row['digest'] as TargetObservation['digest'],
    isHealthy: row['is_healthy'] as TargetObservation['isHealthy'],
    promised: row['promised'] as TargetObservation['promised'],
    driftSinceMs: numberOrNull(row['drift_since_at']),
    lastBreak: toLastBreak(row),
  };
}

function toLastBreak(row: Readonly<Record<string, unknown>>): TargetObservation['lastBreak'] {
  const sinceMs = numberOrNull(row['broken_since_at']);
  const untilMs = numberOrNull(row['broken_until_at']);
  return sinceMs === null ? null : { components: row['broken_components'] as readonly string[], sinceMs, untilMs };
}

/** Of the environment `e`, in JSON, for `toObservedBreak`; without what else was seen there, for it is read with every tick. */
export const SELECT_BREAKS = `(select coalesce(json_agg(b order by b.target collate "C"), '[]') from (
      select o.environment, o.target, o.digest, o.promised, o.seen_at, o.broken_since_at, o.broken_until_at, o.broken_components
      from target_observations o where o.environment = e.name and o.broken_since_at is not null) b)`;

const READ_BREAKS: Statement = {
  name: 'observation_breaks',
  text: `select ${SELECT_BREAKS} as breaks from environments e where e.name = $1`,
};

export async function readBreakRows(session: Session, environment: string): Promise<readonly ObservedBreak[]> {
  const [row] = await session.rows(READ_BREAKS, [environment]);
  // As our own statement makes them.
  return ((row?.['breaks'] ?? []) as readonly RawBreak[]).map(toObservedBreak);
}

/** As PostgreSQL prints the row in JSON. */
export type RawBreak = Pick<ObservedBreak, 'environment' | 'target' | 'digest' | 'promised'> & {
  readonly seen_at: string | null;
  readonly broken_since_at: string;
  readonly broken_until_at: string | null;
  readonly broken_components: readonly string[] | null;
};

export function toObservedBreak(row: RawBreak): ObservedBreak {
  const { environment, target, digest, promised, seen_at: seenAt, broken_until_at: untilAt } = row;
  return {
    environment,
    target,
    digest,
    promised,
    components: row.broken_components ?? [],
    sinceMs: Date.parse(row.broken_since_at),
    untilMs: untilAt === null ? null : Date.parse(untilAt),
    seenAtMs: seenAt === null ? null : Date.parse(seenAt),
  };
}
