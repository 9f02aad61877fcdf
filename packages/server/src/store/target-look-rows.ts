/** What each target of an environment was last told and last seen to run, by the promotions that came as far. */
import { PROMOTION_STATUSES, type PromotionId } from '@stella/domain';
import type { TargetLook } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull, textOrNull } from './row-values.ts';

/** Promotions of an environment that are looked through: a target that none of them touched shows nothing. */
const PROMOTIONS_MAX = 200;

const STATUSES = `array[${PROMOTION_STATUSES.map((word) => `'${word}'`).join(', ')}]`;

/** Of each status by the index of environment and status, so that a plan for any environment is good for each. */
const LIST: Statement = {
  name: 'target_looks',
  text: `with recent as (select p.id from unnest(${STATUSES}) w (status) cross join lateral (select q.id from promotions q
        where q.environment = $1 and q.status = w.status order by q.id desc limit ${PROMOTIONS_MAX}) p
      order by p.id desc limit ${PROMOTIONS_MAX}),
    told as (select a.*, o.outcome, o.code, o.message, o.digest, o.ended_at
      from recent p join attempts a on a.promotion_id = p.id
      left join attempt_outcomes o on o.operation_id = a.operation_id and not o.is_late
      where a.purpose in ('deploy', 'rollback', 'verify', 'rollback_verify'))
    select distinct on (t.subject, t.purpose in ('deploy', 'rollback')) t.subject, t.purpose, t.promotion_id,
      t.outcome, t.code, t.message, t.digest, t.started_at, t.ended_at, p.requested_by, r.name as release_name
    from told t join promotions p on p.id = t.promotion_id join releases r on r.id = p.release_id
    order by t.subject, t.purpose in ('deploy', 'rollback'), t.started_at desc, t.number desc`,
};

/** Each type assertion is on a column that only our own statements write, from checked values. */
export async function listTargetLooks(session: Session, environment: string): Promise<readonly TargetLook[]> {
  const rows = await session.rows(LIST, [environment]);
  return rows.map((row) => ({
    target: String(row['subject']),
    purpose: row['purpose'] as TargetLook['purpose'],
    promotionId: row['promotion_id'] as PromotionId,
    releaseName: String(row['release_name']),
    requestedBy: row['requested_by'] as TargetLook['requestedBy'],
    outcome: row['outcome'] as TargetLook['outcome'],
    code: textOrNull(row['code']) ?? '',
    message: textOrNull(row['message']) ?? '',
    digest: row['digest'] as TargetLook['digest'],
    startedAtMs: Number(row['started_at']),
    endedAtMs: numberOrNull(row['ended_at']),
  }));
}
