/** `GET /tokens`: one's own and those of one's automation; all for an admin. */
import { isAllowed } from '@stella/domain';
import { presentToken } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listTokens: RouteHandler<'listTokens'> = async ({ reads }, { caller, query }) => {
  const ownedBy = isAllowed(caller.bindings, 'person.read', null) ? null : caller.personId;
  const { rows, next } = await reads.listTokens(ownedBy, { limit: query.limit, cursor: query.cursor ?? null });
  return { items: rows.map(presentToken), next };
};
