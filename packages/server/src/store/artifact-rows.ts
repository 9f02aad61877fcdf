/** Artifacts as releases name them: by digest, or by the unique start of one. */
import type { Digest, ReleaseComponent } from '@stella/domain';
import type { ArtifactUse } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';

/** Releases of one artifact that are shown, the newest. */
const USES_MAX = 100;

const FIND: Statement = {
  name: 'artifact_by_start',
  text: `select distinct c.digest from release_components c where c.digest >= $1 and c.digest < $1 || 'g'
    order by c.digest limit 3`,
};
const USES: Statement = {
  name: 'artifact_uses',
  text: `select c.name, c.source, c.digest, c.media_type, c.tag, r.id as release_id, r.name as release_name,
      (select coalesce(json_agg(e.name order by e.name), '[]') from environments e
        cross join lateral jsonb_array_elements(e.components) run
        where run ->> 'releaseId' = r.id and run ->> 'component' = c.name and run ->> 'state' = 'whole') as environments
    from release_components c join releases r on r.id = c.release_id
    where c.digest = $1 order by r.number desc limit $2`,
};

/** Whole digests that begin so; at most 3, enough to say that a start is not unique. */
export async function findDigestsByStart(session: Session, start: string): Promise<readonly Digest[]> {
  // Written by us from checked digests.
  return (await session.rows(FIND, [start])).map((row) => row['digest'] as Digest);
}

/** Newest release first. Each type assertion is on a column that only our own statements write, from checked values. */
export async function listArtifactUses(session: Session, digest: Digest): Promise<readonly ArtifactUse[]> {
  const rows = await session.rows(USES, [digest, USES_MAX]);
  return rows.map((row) => ({
    component: {
      name: String(row['name']),
      source: row['source'] as ReleaseComponent['source'],
      digest,
      mediaType: String(row['media_type']),
      tag: row['tag'] as string | null,
    },
    releaseId: row['release_id'] as ArtifactUse['releaseId'],
    releaseName: String(row['release_name']),
    environments: row['environments'] as readonly string[],
  }));
}
