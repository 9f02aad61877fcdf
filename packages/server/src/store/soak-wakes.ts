/** The wake-up of whoever soaks in an environment in which a break began or ended. The caller holds the environment's row. */
import { toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';

/**
 * Also those that a worker has: they are asked by it. Rows that are held at this moment are left to `owed-wakes.ts`, where
 * they are written down at once. Few runs wait for a soak, and an index is of just them.
 */
const WAKE: Statement = {
  name: 'soaks_wake',
  text: `with soaking as materialized (
      select p.id from promotions p where p.id = any (array(
          select promotion_id from gate_runs where kind = 'soak' and state = 'waiting'))
        and p.ended_at is null and p.next_action_at > $2 and p.step = 'evaluate_gates'
        and exists (select from environment_definitions d where d.environment = p.environment
          and d.hash = p.definition_hash and d.definition -> 'promotesFrom' ? $1)
    ), free as (
      select id from promotions where id in (select id from soaking) and ended_at is null and next_action_at > $2
        and step = 'evaluate_gates' for update skip locked
    ), woken as (
      update promotions set next_action_at = $2, version = version + 1 where id in (select id from free)
    )
    insert into owed_wakes (promotion_id, owed_at)
      select id, clock_timestamp() from soaking where id not in (select id from free) order by id
    returning promotion_id`,
};

/** Answers whom it could not wake. */
export async function wakeSoaking(session: Session, environment: string, nowMs: number): Promise<readonly string[]> {
  const rows = await session.rows(WAKE, [environment, toRfc3339(nowMs)]);
  return rows.map((row) => String(row['promotion_id']));
}
