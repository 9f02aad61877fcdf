/** `GET /promotions`: those of environments that the caller may see. */
import { presentPromotionRow } from '../present/present-promotion.ts';
import { toPromotionFilter } from '../promotion-filter.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listPromotions: RouteHandler<'listPromotions'> = async ({ reads }, { caller, query }) => {
  const { limit, cursor, ...wanted } = query;
  const filter = await toPromotionFilter(reads, caller, wanted);
  const { rows, next } = await reads.listPromotions(filter, { limit, cursor: cursor ?? null });
  return { items: rows.map(presentPromotionRow), next };
};
