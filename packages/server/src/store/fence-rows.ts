/** The fence of one environment, raised above what its targets hold (safety S2). The caller holds the environment's row. */
import { compareFences, type EnvironmentStatus, type Fence, type PromotionId, toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { toStopColumn } from './environment-stop-column.ts';
import { InstallationReplaced, IS_REPLACED } from './installation.ts';

const FIND_HOLDER: Statement = {
  name: 'environment_holder',
  text: `select l.promotion_id from locks l join promotions p on p.id = l.promotion_id
    where l.released_at is null and l.mode = 'exclusive' and p.environment = $1 order by l.id limit 1`,
};

const DRAW: Statement = {
  name: 'fence_draw',
  text: `select nextval('fence_numbers') as n, i.epoch, ${IS_REPLACED} as is_replaced from installation i`,
};

const RAISE_EPOCH: Statement = { name: 'epoch_raise', text: 'select raise_installation_epoch($1) as epoch' };

const WRITE: Statement = {
  name: 'environment_fence',
  text: `update environments set state = $2, stopped_at = $3, stop = $4, floor_epoch = $5, floor_n = $6,
      components = $7 where name = $1`,
};

/** Rows that are being ticked at this moment are left out: their tick has the environment's row after us. */
const WAKE: Statement = {
  name: 'environment_wake_all',
  text: `update promotions set next_action_at = clock_timestamp(), version = version + 1
    where id in (select id from promotions where environment = $1 and ended_at is null and worker_id is null
      and next_action_at > clock_timestamp() for update skip locked)`,
};

/** A promotion that holds a live lock of the environment. */
export async function findHolderRow(session: Session, environment: string): Promise<PromotionId | null> {
  const [row] = await session.rows(FIND_HOLDER, [environment]);
  // A promotion's own id.
  return (row?.['promotion_id'] as PromotionId | undefined) ?? null;
}

/** Newer than any fence drawn before, and than `held`. Throws `InstallationReplaced`. */
export async function drawFenceAbove(session: Session, held: Fence | null): Promise<Fence> {
  const [row] = await session.rows(DRAW);
  if (row?.['is_replaced'] === true) throw new InstallationReplaced();
  const drawn = { epoch: Number(row?.['epoch']), n: Number(row?.['n']) };
  if (held === null || compareFences(drawn, held) > 0) return drawn;
  const [raised] = await session.rows(RAISE_EPOCH, [held.epoch]);
  return { epoch: Number(raised?.['epoch']), n: drawn.n };
}

export async function writeRaisedFenceRow(session: Session, status: EnvironmentStatus, floor: Fence): Promise<void> {
  const { name, state, stop, components } = status;
  const stopped = stop === null ? [null, null] : [toRfc3339(stop.atMs), toStopColumn(stop)];
  await session.rows(WRITE, [name, state, ...stopped, floor.epoch, floor.n, JSON.stringify(components)]);
  await session.rows(WAKE, [name]);
}
