/** `GET /locks`: those of environments that the caller may see. */
import { findWaitCycles, isAllowed, toRfc3339 } from '@stella/domain';
import { presentLock } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listLocks: RouteHandler<'listLocks'> = async ({ reads, settings }, { caller, query }) => {
  const environment = query.environment ?? null;
  if (environment !== null) await reads.readEnvironment(environment);
  const [rows, facts] = await Promise.all([reads.listLocks(environment), reads.readFacts(settings['stuck.after'])]);
  const visible = rows.filter((row) => isAllowed(caller.bindings, 'lock.read', row.environment));
  const waits = visible.flatMap(({ promotionId: holder, waiters }) => waiters.map((waiter) => ({ waiter, holder })));
  return {
    now: toRfc3339(facts.databaseNowMs),
    items: visible.map(presentLock),
    cycles: findWaitCycles(waits).map((cycle) => [...cycle]),
  };
};
