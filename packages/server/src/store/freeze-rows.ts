/** An operator's freeze of one environment, and the wake-up of whoever it concerns. The caller holds the environment's row. */
import { type EnvironmentFreeze, toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { oweSkipped } from './owed-wakes.ts';

const WRITE: Statement = {
  name: 'environment_freeze',
  text: 'update environments set operator_freeze = $2 where name = $1',
};

/** Who waits at gates or for a lock looks again; those at work are asked by their worker. Rows that are held at this moment are left to `owed-wakes.ts`. */
const WAKE: Statement = {
  name: 'environment_wake_frozen',
  text: `update promotions set next_action_at = $2, version = version + 1
    where id in (select id from promotions where environment = $1 and ended_at is null
      and next_action_at > $2 and step in ('evaluate_gates', 'acquire_locks')
      for update skip locked)`,
};

export async function writeFreezeRow(session: Session, environment: string, freeze: EnvironmentFreeze): Promise<void> {
  await session.rows(WRITE, [environment, JSON.stringify(freeze)]);
}

/** After what is frozen was changed. Answers whom it could not wake. */
export async function wakeFrozen(session: Session, environment: string, nowMs: number): Promise<readonly string[]> {
  await session.rows(WAKE, [environment, toRfc3339(nowMs)]);
  return oweSkipped(session, { environment, promotionId: '', atMs: nowMs, wakesClaimed: true });
}
