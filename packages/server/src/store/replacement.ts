/** `queue: latest`: the promotion that takes another one's place; the domain's `doesReplace` in SQL. */
import {
  type PromotionSnapshot,
  type Promotion,
  type Release,
  type Replacement,
  STEPS,
  toRfc3339,
} from '@stella/domain';
import type { Session, Statement } from './connection.ts';

const FIND: Statement = {
  name: 'replacement_find',
  text: `select o.id, r.name from promotions o join releases r on r.id = o.release_id
    where o.environment = $1 and o.ended_at is null and o.kind <> 'rollback'
      and (o.created_at > $2 or (o.created_at = $2 and o.id collate "C" > $3)) and r.number > $4
      and array_position(array['high', 'normal', 'low'], o.priority)
        <= array_position(array['high', 'normal', 'low'], $5)
      and not exists (select from release_components c where c.release_id = $6 and not exists (
        select from release_components d where d.release_id = o.release_id and d.name = c.name))
    order by r.number desc limit 1`,
};

/** Null: there is none, or nothing can take its place any more. */
export async function findReplacement(
  session: Session,
  promotion: Promotion,
  release: Release,
): Promise<PromotionSnapshot['replacement']> {
  const { definition, endedAtMs, step, environment, createdAtMs, id, priority } = promotion;
  const isBeforeDeploy = STEPS.indexOf(step) < STEPS.indexOf('deploy');
  if (definition.queue !== 'latest' || promotion.kind === 'rollback' || endedAtMs !== null || !isBeforeDeploy)
    return null;
  const values = [environment, toRfc3339(createdAtMs), id, release.number, priority, release.id];
  const [row] = await session.rows(FIND, values);
  // Written by us from a checked id.
  return row ? { promotionId: row['id'] as Replacement['promotionId'], releaseName: String(row['name']) } : null;
}
