/** `GET /environments`: those that the caller may see. */
import { isAllowed } from '@stella/domain';
import { presentEnvironment } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listEnvironments: RouteHandler<'listEnvironments'> = async ({ reads, clock }, { caller }) => {
  const rows = await reads.listEnvironments();
  const visible = rows.filter((row) => isAllowed(caller.bindings, 'environment.read', row.definition.name));
  return { items: visible.map((row) => presentEnvironment(row, clock.nowMs())) };
};
