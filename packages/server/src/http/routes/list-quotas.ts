/** `GET /quotas`: of environments that the caller may see; of one that is named, those without a limit too. */
import { isAllowed, toRfc3339 } from '@stella/domain';
import { presentQuotas } from '../present/present-quota.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listQuotas: RouteHandler<'listQuotas'> = async ({ reads, clock }, { caller, query }) => {
  const environment = query.environment ?? null;
  if (environment !== null) await reads.readEnvironment(environment);
  const [rows, settings] = await Promise.all([reads.listQuotas(environment), reads.listSettings()]);
  const visible = rows.filter((row) => isAllowed(caller.bindings, 'environment.read', row.environment));
  return {
    now: toRfc3339(rows[0]?.nowMs ?? clock.nowMs()),
    items: visible.flatMap((row) => presentQuotas(row, settings, environment !== null)),
  };
};
