/** What was deployed in an environment: its promotions that came as far as writing to targets, newest first. */
import { PROMOTION_STATUSES, type PromotionStatus } from '@stella/domain';
import type { DeploymentRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull, textOrNull } from './row-values.ts';

/** They begin to deploy nearly in the order of their making: so many more of each status are looked at. */
const LOOKED_AT_BESIDES = 50;

/** Of each status by the index of environment and status, so that only a few rows are read of many. */
const LIST: Statement = {
  name: 'deployment_list',
  text: `select p.id, p.kind, p.is_forced, p.release_id, r.name as release_name, r.number as release_number, p.status,
      p.requested_by, s.started_at, p.ended_at, p.ending_code, p.ending_message, b.name as base_name
    from (select found.id from unnest($2::text[]) w (status) cross join lateral (select q.id from promotions q
        where q.environment = $1 and q.status = w.status order by q.id desc limit $3 + ${LOOKED_AT_BESIDES}) found) page
    join promotions p on p.id = page.id
    join promotion_steps s on s.promotion_id = p.id and s.step = 'deploy' and s.started_at is not null
    join releases r on r.id = p.release_id left join releases b on b.id = p.base_release_id
    order by s.started_at desc, p.id desc limit $3`,
};

/** Each type assertion is on a column that only our own statements write, from checked values. */
export async function listDeploymentRows(
  session: Session,
  environment: string,
  { statuses, limit }: { readonly statuses: readonly PromotionStatus[] | null; readonly limit: number },
): Promise<readonly DeploymentRow[]> {
  const rows = await session.rows(LIST, [environment, statuses ?? PROMOTION_STATUSES, limit]);
  return rows.map((row) => ({
    id: row['id'] as DeploymentRow['id'],
    kind: row['kind'] as DeploymentRow['kind'],
    isForced: row['is_forced'] === true,
    releaseId: row['release_id'] as DeploymentRow['releaseId'],
    releaseName: String(row['release_name']),
    releaseNumber: Number(row['release_number']),
    baseName: textOrNull(row['base_name']),
    status: row['status'] as DeploymentRow['status'],
    requestedBy: row['requested_by'] as DeploymentRow['requestedBy'],
    startedAtMs: Number(row['started_at']),
    endedAtMs: numberOrNull(row['ended_at']),
    ending: endingOf(textOrNull(row['ending_code']), textOrNull(row['ending_message'])),
  }));
}

function endingOf(code: string | null, message: string | null): DeploymentRow['ending'] {
  return code === null ? null : { code, message: message ?? '' };
}
