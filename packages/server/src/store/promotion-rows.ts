/** Promotions in lists and by the start of their id. */
import type { PromotionId, PromotionStatus } from '@stella/domain';
import type { PromotionFilter, PromotionRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull } from './row-values.ts';

const FILTER = `($1::text[] is null or p.status = any ($1)) and ($2::text is null or p.environment = $2)
  and ($3::text is null or p.release_id = $3)
  and ($4::bigint is null or (p.ended_at is null
    and greatest(p.last_progress_at, p.in_progress_since_at) < now() - $4 * interval '1 millisecond'))
  and ($5::bigint is null or p.created_at > now() - $5 * interval '1 millisecond')
  and p.environment like any ($6::text[])`;

const LIST: Statement = {
  name: 'promotion_list',
  text: `select p.id, p.release_id, r.name as release_name, p.environment, p.status, p.step, p.priority,
      p.requested_by, p.created_at, p.last_progress_at, p.in_progress_since_at, p.ended_at
    from promotions p join releases r on r.id = p.release_id
    where ${FILTER} and ($7::text is null or p.id < $7) order by p.id desc limit $8`,
};
const COUNT: Statement = {
  name: 'promotion_count',
  text: `select count(*) as count from promotions p where ${FILTER}`,
};
const FIND_BY_START: Statement = {
  name: 'promotion_by_start',
  text: `select id from promotions where id >= $1 and id < $1 || 'g' order by id limit 3`,
};
const COUNT_BY_STATUS: Statement = {
  name: 'promotion_status_counts',
  text: 'select status, count(*) as count from promotions where ended_at is null group by status',
};

/** Newest first, those made before `beforeId`. */
export async function listPromotionRows(
  session: Session,
  filter: PromotionFilter,
  { beforeId, limit }: { beforeId: string | null; limit: number },
): Promise<readonly PromotionRow[]> {
  const rows = await session.rows(LIST, [...filterValues(filter), beforeId, limit]);
  return rows.map((row) => ({
    // Written by us from checked values.
    id: row['id'] as PromotionRow['id'],
    releaseId: row['release_id'] as PromotionRow['releaseId'],
    releaseName: String(row['release_name']),
    environment: String(row['environment']),
    status: row['status'] as PromotionRow['status'],
    step: row['step'] as PromotionRow['step'],
    priority: row['priority'] as PromotionRow['priority'],
    requestedBy: row['requested_by'] as PromotionRow['requestedBy'],
    createdAtMs: Number(row['created_at']),
    lastProgressAtMs: Number(row['last_progress_at']),
    inProgressSinceMs: Number(row['in_progress_since_at']),
    endedAtMs: numberOrNull(row['ended_at']),
  }));
}

export async function countPromotionRows(session: Session, filter: PromotionFilter): Promise<number> {
  const [row] = await session.rows(COUNT, filterValues(filter));
  return Number(row?.['count'] ?? 0);
}

/** At most 3, enough to say that a start is not unique. */
export async function findPromotionsByStart(session: Session, start: string): Promise<readonly PromotionId[]> {
  return (await session.rows(FIND_BY_START, [start])).map((row) => row['id'] as PromotionId);
}

/** Of live promotions. */
export async function countByStatus(session: Session): Promise<Partial<Record<PromotionStatus, number>>> {
  const rows = await session.rows(COUNT_BY_STATUS);
  // The column's check allows only statuses.
  const counts = rows.map((row): [PromotionStatus, number] => [row['status'] as PromotionStatus, Number(row['count'])]);
  return Object.fromEntries<number>(counts);
}

function filterValues({ statuses, environment, releaseId, olderThanMs, lastMs, visible }: PromotionFilter): unknown[] {
  // A pattern's letters are lower-case, digits and hyphens; none of them is special to `like`.
  const patterns = visible.map((pattern) => pattern.replaceAll('*', '%'));
  return [statuses, environment, releaseId, olderThanMs, lastMs, patterns];
}
