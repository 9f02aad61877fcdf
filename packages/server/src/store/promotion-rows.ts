/** Promotions in lists and by the start of their id. */
import { LIVE_STATUSES, PROMOTION_STATUSES, type PromotionId, type PromotionStatus } from '@stella/domain';
import type { ActorCounts, PromotionFilter, PromotionRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull } from './row-values.ts';

/** An id begins with the time of its making by a server's clock, `created_at` is the database's: further apart they never are. */
const CLOCKS_APART_MS_MAX = 86_400_000;

/**
 * Without a name a statement is planned for its values. Prepared, a plan for any filter would be kept: among 400,000 promotions
 * a page from the middle took 750 ms by it, and 0.7 ms by one of its own, which takes a millisecond to make.
 */
const PLANNED_EACH_TIME = '';

/** Of a page: before the id $5, not longer ago than $3 ms. Both are places in an index that ends with the id. */
const IN_REACH = `p.id < coalesce($5::text, 'prm_g') and p.id > case when $3::bigint is null then ''
    else 'prm_' || lpad(to_hex(greatest(0, (extract(epoch from now()) * 1000)::bigint - $3 - ${CLOCKS_APART_MS_MAX})), 12, '0') end`;
const MATCHES = `($2::bigint is null or (p.ended_at is null
      and greatest(p.last_progress_at, p.in_progress_since_at) < now() - $2 * interval '1 millisecond'))
    and ($3::bigint is null or p.created_at > now() - $3 * interval '1 millisecond')
    and ($4::text[] is null or p.kind = any ($4::text[]))`;
const COLUMNS = `select p.id, p.release_id, r.name as release_name, p.environment, p.kind, p.status, p.step, p.priority,
    p.requested_by, p.created_at, p.last_progress_at, p.in_progress_since_at, p.ended_at`;

/** A page of each status $1 in the order of its index, and of those together the first: at any size only a few rows are read. */
const LIST: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${COLUMNS} from (
      select found.id from unnest($1::text[]) s (status) cross join lateral (select p.id from promotions p
        where p.status = s.status and ${IN_REACH} and ${MATCHES} order by p.id desc limit $6) found
      order by found.id desc limit $6) page
    join promotions p on p.id = page.id join releases r on r.id = p.release_id order by p.id desc`,
};
/** The same of each environment: $7, or all that the caller may see. Every one that had a promotion has definitions. */
const LIST_OF_ENVIRONMENTS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${COLUMNS} from (
      select found.id from (select distinct d.environment from environment_definitions d
          where ($7::text is null or d.environment = $7) and d.environment like any ($8::text[])) e
        cross join unnest($1::text[]) s (status) cross join lateral (select p.id from promotions p
          where p.environment = e.environment and p.status = s.status and ${IN_REACH} and ${MATCHES}
          order by p.id desc limit $6) found
      order by found.id desc limit $6) page
    join promotions p on p.id = page.id join releases r on r.id = p.release_id order by p.id desc`,
};
/** A release has few promotions. */
const LIST_OF_RELEASE: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${COLUMNS} from promotions p join releases r on r.id = p.release_id
    where p.release_id = $7 and ($8::text is null or p.environment = $8) and p.environment like any ($9::text[])
      and p.status = any ($1::text[]) and ${IN_REACH} and ${MATCHES} order by p.id desc limit $6`,
};
/** Rollbacks and deploys are few among all: by an index of theirs. */
const RARE_KIND = `p.kind <> 'promote' and p.status = any ($1::text[])`;
const LIST_OF_KINDS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${COLUMNS} from promotions p join releases r on r.id = p.release_id
    where ${RARE_KIND} and ($7::text is null or p.release_id = $7) and ($8::text is null or p.environment = $8)
      and p.environment like any ($9::text[]) and ${IN_REACH} and ${MATCHES} order by p.id desc limit $6`,
};
/** Of each status by itself: joined, the planner would rather go through all promotions and look their statuses up. */
const COUNT: Statement = {
  name: PLANNED_EACH_TIME,
  text: `select coalesce(sum(found.count), 0) as count from unnest($1::text[]) s (status)
    cross join lateral (select count(*) as count from promotions p
      where p.status = s.status and ${IN_REACH} and ${MATCHES}) found`,
};
/** The same of environments, as they are listed. */
const COUNT_OF_ENVIRONMENTS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `select coalesce(sum(found.count), 0) as count
    from (select distinct d.environment from environment_definitions d
      where ($6::text is null or d.environment = $6) and d.environment like any ($7::text[])) e
    cross join unnest($1::text[]) s (status) cross join lateral (select count(*) as count from promotions p
      where p.environment = e.environment and p.status = s.status and ${IN_REACH} and ${MATCHES}) found`,
};
const COUNT_OF_RELEASE: Statement = {
  name: PLANNED_EACH_TIME,
  text: `select count(*) as count from promotions p where p.release_id = $6 and ($7::text is null or p.environment = $7)
    and p.environment like any ($8::text[]) and p.status = any ($1::text[]) and ${IN_REACH} and ${MATCHES}`,
};
const COUNT_OF_KINDS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `select count(*) as count from promotions p where ${RARE_KIND} and ($6::text is null or p.release_id = $6)
    and ($7::text is null or p.environment = $7) and p.environment like any ($8::text[]) and ${IN_REACH} and ${MATCHES}`,
};

/** Newest promotions that are counted by who asked for them: so the cost is bounded however many match. */
const COUNTED_MAX = 100_000;
const ACTORS_MAX = 500;

/** How many of the newest $6 rows of `found` each actor asked for; `total`: how many were looked at. */
const BY_ACTOR = `select newest.requested_by as actor, count(*) as count, sum(count(*)) over () as total,
    count(*) over () as actors from (select found.requested_by from`;
const NEWEST = `order by found.id desc limit $6) newest
    group by newest.requested_by order by count(*) desc, newest.requested_by limit ${ACTORS_MAX}`;
const COUNT_ACTORS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${BY_ACTOR} (select p.id, p.requested_by from promotions p
      where p.status = any ($1::text[]) and ${IN_REACH} and ${MATCHES} order by p.id desc limit $6) found ${NEWEST}`,
};
const COUNT_ACTORS_OF_ENVIRONMENTS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${BY_ACTOR} (select p.id, p.requested_by from promotions p where p.status = any ($1::text[])
        and ($7::text is null or p.environment = $7) and p.environment like any ($8::text[])
        and ${IN_REACH} and ${MATCHES} order by p.id desc limit $6) found ${NEWEST}`,
};
const COUNT_ACTORS_OF_RELEASE: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${BY_ACTOR} (select p.id, p.requested_by from promotions p where p.release_id = $7
        and ($8::text is null or p.environment = $8) and p.environment like any ($9::text[])
        and p.status = any ($1::text[]) and ${IN_REACH} and ${MATCHES}) found ${NEWEST}`,
};
const COUNT_ACTORS_OF_KINDS: Statement = {
  name: PLANNED_EACH_TIME,
  text: `${BY_ACTOR} (select p.id, p.requested_by from promotions p where ${RARE_KIND}
        and ($7::text is null or p.release_id = $7) and ($8::text is null or p.environment = $8)
        and p.environment like any ($9::text[]) and ${IN_REACH} and ${MATCHES}) found ${NEWEST}`,
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
  const shapes = {
    ofAll: LIST,
    ofEnvironments: LIST_OF_ENVIRONMENTS,
    ofRelease: LIST_OF_RELEASE,
    ofKinds: LIST_OF_KINDS,
  };
  const rows = await readShape(session, shapes, filter, [beforeId, limit]);
  return rows.map((row) => ({
    // Written by us from checked values.
    id: row['id'] as PromotionRow['id'],
    releaseId: row['release_id'] as PromotionRow['releaseId'],
    releaseName: String(row['release_name']),
    environment: String(row['environment']),
    kind: row['kind'] as PromotionRow['kind'],
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

interface Shapes {
  readonly ofAll: Statement;
  readonly ofEnvironments: Statement;
  readonly ofRelease: Statement;
  /** Of kinds without `promote`. */
  readonly ofKinds: Statement;
}

/** By the index that serves what is asked for; `page`: values of the page, after those of every shape. */
function readShape(
  session: Session,
  { ofAll, ofEnvironments, ofRelease, ofKinds }: Shapes,
  { kinds, statuses, environment, releaseId, olderThanMs, lastMs, visible }: PromotionFilter,
  page: readonly unknown[],
): ReturnType<Session['rows']> {
  const possible: readonly PromotionStatus[] = olderThanMs === null ? PROMOTION_STATUSES : LIVE_STATUSES;
  const wanted = statuses === null ? possible : possible.filter((status) => statuses.includes(status));
  const values = [wanted, olderThanMs, lastMs, kinds, ...page];
  const patterns = toLikePatterns(visible);
  if (kinds !== null && !kinds.includes('promote')) {
    return session.rows(ofKinds, [...values, releaseId, environment, patterns]);
  }
  if (releaseId !== null) return session.rows(ofRelease, [...values, releaseId, environment, patterns]);
  if (environment === null && visible.includes('*')) return session.rows(ofAll, values);
  return session.rows(ofEnvironments, [...values, environment, patterns]);
}

export async function countPromotionRows(session: Session, filter: PromotionFilter): Promise<number> {
  const shapes = {
    ofAll: COUNT,
    ofEnvironments: COUNT_OF_ENVIRONMENTS,
    ofRelease: COUNT_OF_RELEASE,
    ofKinds: COUNT_OF_KINDS,
  };
  const [row] = await readShape(session, shapes, filter, [null]);
  return Number(row?.['count'] ?? 0);
}

/** Most first. */
export async function countPromotionActors(session: Session, filter: PromotionFilter): Promise<ActorCounts> {
  const shapes = {
    ofAll: COUNT_ACTORS,
    ofEnvironments: COUNT_ACTORS_OF_ENVIRONMENTS,
    ofRelease: COUNT_ACTORS_OF_RELEASE,
    ofKinds: COUNT_ACTORS_OF_KINDS,
  };
  const rows = await readShape(session, shapes, filter, [null, COUNTED_MAX]);
  return {
    // Written by us from checked values.
    counts: rows.map((row) => ({ actor: row['actor'] as PromotionRow['requestedBy'], count: Number(row['count']) })),
    isCut: Number(rows[0]?.['total'] ?? 0) >= COUNTED_MAX || Number(rows[0]?.['actors'] ?? 0) > ACTORS_MAX,
  };
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

/** A pattern's letters are lower-case, digits and hyphens; none of them is special to `like`. */
function toLikePatterns(visible: readonly string[]): readonly string[] {
  return visible.map((pattern) => pattern.replaceAll('*', '%'));
}
