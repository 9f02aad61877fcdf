/** What counts against the quotas of an environment: limits, starts and who is in progress, read at one moment. */
import {
  hasQuota,
  type EnvironmentStatus,
  QUOTA_LOOK_BACK_MS,
  QUOTA_MAX,
  quotaLimitsOf,
  type QuotaRequest,
  type QuotaUse,
  type Settings,
} from '@stella/domain';
import type { QuotaRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';

const HAS_QUOTA = `e.quotas is not null or exists (select from settings q
  where q.value is not null and starts_with(q.key, 'environments.' || e.name || '.quotas.'))`;

const HAS_STARTED = `exists (select from locks f where f.promotion_id = p.id and f.mode = 'exclusive')`;

/** Of the row `e` of environments; null where nothing is limited, so that most transactions read no more than that. */
export const QUOTA_USE = `(select case when ${HAS_QUOTA} then json_build_object(
    'quotas', e.quotas, 'concurrency', e.concurrency,
    'settings', (select coalesce(json_object_agg(q.key, q.value), '{}') from settings q
      where q.value is not null and starts_with(q.key, 'environments.' || e.name || '.quotas.')),
    'starts', (select coalesce(json_agg(s.ms), '[]') from (
      select (extract(epoch from min(l.acquired_at)) * 1000)::bigint as ms from locks l
      where l.mode = 'exclusive' and split_part(l.resource, '/', 1) = 'environment:' || e.name
        and l.acquired_at > clock_timestamp() - interval '${QUOTA_LOOK_BACK_MS} milliseconds'
        and not exists (select from locks f where f.promotion_id = l.promotion_id and f.mode = 'exclusive'
          and f.acquired_at <= clock_timestamp() - interval '${QUOTA_LOOK_BACK_MS} milliseconds')
      group by l.promotion_id order by 1 desc limit ${QUOTA_MAX}) s),
    'in_progress', (select coalesce(json_agg(json_build_object('promotion_id', h.promotion_id,
        'components', (select coalesce(json_agg(c.name order by c.name), '[]') from release_components c
          join promotions p on p.release_id = c.release_id where p.id = h.promotion_id))
        order by h.promotion_id), '[]') from (
      select distinct l.promotion_id from locks l where l.released_at is null and l.mode = 'exclusive'
        and split_part(l.resource, '/', 1) = 'environment:' || e.name) h),
    'started_ids', (select coalesce(json_agg(p.id order by p.id), '[]') from promotions p
      where p.environment = e.name and p.ended_at is null and ${HAS_STARTED}))
  end)`;

/** As PostgreSQL prints it. */
export interface RawQuotaUse {
  readonly quotas: EnvironmentStatus['quotas'];
  readonly concurrency: EnvironmentStatus['concurrency'];
  readonly settings: Partial<Settings>;
  readonly starts: readonly number[];
  readonly in_progress: readonly {
    readonly promotion_id: QuotaUse['inProgress'][number]['promotionId'];
    readonly components: readonly string[];
  }[];
  readonly started_ids: QuotaUse['startedIds'];
}

/** Null: nothing is limited there. */
export function toQuotaUse(name: string, raw: RawQuotaUse | null): QuotaUse | null {
  if (raw === null) return null;
  const { quotas, concurrency, settings } = raw;
  const limits = quotaLimitsOf({ name, quotas, concurrency }, settings);
  if (!hasQuota(limits)) return null;
  return {
    limits,
    timeZone: quotas?.timeZone ?? 'UTC',
    startsAtMs: raw.starts,
    inProgress: raw.in_progress.map(({ promotion_id, components }) => ({ promotionId: promotion_id, components })),
    startedIds: raw.started_ids,
  };
}

const LIST: Statement = {
  name: 'quota_list',
  text: `select e.name, e.quotas, e.quota_requests, date_trunc('milliseconds', clock_timestamp()) as now,
      ${QUOTA_USE} as quota,
      (select coalesce(json_object_agg(w.quota_wait, w.count), '{}') from (
        select p.quota_wait, count(*) as count from promotions p
        where p.environment = e.name and p.quota_wait is not null group by p.quota_wait) w) as waiting
    from environments e where $1::text is null or e.name = $1 order by e.name limit 1000`,
};

/** Each type assertion is on a column that only our own statements write, from checked values. */
export async function listQuotaRows(session: Session, environment: string | null): Promise<readonly QuotaRow[]> {
  const rows = await session.rows(LIST, [environment]);
  return rows.map((row) => ({
    environment: String(row['name']),
    definition: row['quotas'] as QuotaRow['definition'],
    requests: row['quota_requests'] as QuotaRow['requests'],
    use: toQuotaUse(String(row['name']), row['quota'] as RawQuotaUse | null),
    waiting: row['waiting'] as QuotaRow['waiting'],
    nowMs: Number(row['now']),
  }));
}

const WRITE_REQUESTS: Statement = {
  name: 'quota_requests_write',
  text: 'update environments set quota_requests = $2 where name = $1',
};

/** The caller holds the environment's row. */
export async function writeQuotaRequestRows(
  session: Session,
  environment: string,
  requests: readonly QuotaRequest[],
): Promise<void> {
  await session.rows(WRITE_REQUESTS, [environment, JSON.stringify(requests)]);
}
