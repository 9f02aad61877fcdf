/** Releases: written once, with their components, and never changed. */
import { type Actor, AppError, type Release, type ReleaseComponent, type ReleaseId, toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { type ImmutableRows, keep } from './immutable-rows.ts';

const COLUMNS = `r.id, r.name, r.number, r.created_at,
  (select json_agg(json_build_object('name', c.name, 'source', c.source, 'digest', c.digest,
     'mediaType', c.media_type, 'tag', c.tag) order by c.name)
   from release_components c where c.release_id = r.id) as components`;

const READ: Statement = { name: 'release_read', text: `select ${COLUMNS} from releases r where r.id = $1` };
const FIND_BY_NAME: Statement = {
  name: 'release_by_name',
  text: `select ${COLUMNS} from releases r where r.name = $1`,
};
const FIND_BY_START: Statement = {
  name: 'release_by_start',
  // A range over the primary key: ids are lower-case hex after their prefix.
  text: `select ${COLUMNS} from releases r where r.id >= $1 and r.id < $1 || 'g' order by r.id limit 3`,
};
const LIST: Statement = {
  name: 'release_list',
  text: `select ${COLUMNS} from releases r where $1::bigint is null or r.number < $1 order by r.number desc limit $2`,
};
const NAMES: Statement = {
  name: 'release_names',
  text: 'select name from releases order by number desc limit 500',
};
const INSERT: Statement = {
  name: 'release_insert',
  text: `insert into releases (id, name, number, created_at, created_by)
    values ($1, $2, nextval('release_numbers'), $3, $4) on conflict (name) do nothing returning number`,
};
const INSERT_COMPONENTS: Statement = {
  name: 'release_components_insert',
  text: `insert into release_components (release_id, name, source, digest, media_type, tag)
    select $1, c.* from json_to_recordset($2) as c (name text, source jsonb, digest text, media_type text, tag text)`,
};

export async function readRelease(session: Session, cache: ImmutableRows, id: string): Promise<Release> {
  const kept = cache.releases.get(id);
  if (kept) return kept;
  const [row] = await session.rows(READ, [id]);
  if (!row) throw new AppError('internal', { details: { message: `release ${id} is not stored` } });
  return keep(cache.releases, id, toRelease(row));
}

export async function findReleaseByName(session: Session, name: string): Promise<Release | null> {
  const [row] = await session.rows(FIND_BY_NAME, [name]);
  return row ? toRelease(row) : null;
}

/** At most 3, enough to say that a start is not unique. */
export async function findReleasesByStart(session: Session, start: string): Promise<readonly Release[]> {
  return (await session.rows(FIND_BY_START, [start])).map(toRelease);
}

/** Newest first, those older than `beforeNumber`. */
export async function listReleaseRows(
  session: Session,
  beforeNumber: number | null,
  limit: number,
): Promise<readonly Release[]> {
  return (await session.rows(LIST, [beforeNumber, limit])).map(toRelease);
}

/** For "did you mean": the newest 500. */
export async function listReleaseNames(session: Session): Promise<string[]> {
  return (await session.rows(NAMES)).map((row) => String(row['name']));
}

export interface NewRelease {
  readonly id: ReleaseId;
  readonly name: string;
  readonly components: readonly ReleaseComponent[];
  readonly createdAtMs: number;
  readonly createdBy: Actor;
}

/** Null when the name is taken. */
export async function insertReleaseRow(session: Session, release: NewRelease): Promise<Release | null> {
  const { id, name, createdAtMs } = release;
  const [row] = await session.rows(INSERT, [id, name, toRfc3339(createdAtMs), JSON.stringify(release.createdBy)]);
  if (!row) return null;
  const components = [...release.components].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = components.map((one) => ({ ...one, media_type: one.mediaType }));
  await session.rows(INSERT_COMPONENTS, [id, JSON.stringify(rows)]);
  return { id, name, components, createdAtMs, number: Number(row['number']) };
}

function toRelease(row: Readonly<Record<string, unknown>>): Release {
  return {
    // Written by us from checked values.
    id: row['id'] as ReleaseId,
    name: String(row['name']),
    components: row['components'] as readonly ReleaseComponent[],
    createdAtMs: Number(row['created_at']),
    number: Number(row['number']),
  };
}
