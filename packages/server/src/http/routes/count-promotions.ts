/** `GET /promotion-count` */
import { toPromotionFilter } from '../promotion-filter.ts';
import type { RouteHandler } from '../route-handler.ts';

export const countPromotions: RouteHandler<'countPromotions'> = async ({ reads }, { caller, query }) => ({
  count: await reads.countPromotions(await toPromotionFilter(reads, caller, query)),
});
