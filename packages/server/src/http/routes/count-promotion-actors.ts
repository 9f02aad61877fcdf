/** `GET /promotion-count/actors` */
import { presentActor } from '../present/values.ts';
import { toPromotionFilter } from '../promotion-filter.ts';
import type { RouteHandler } from '../route-handler.ts';

export const countPromotionActors: RouteHandler<'countPromotionActors'> = async ({ reads }, { caller, query }) => {
  const { counts, isCut } = await reads.countPromotionActors(await toPromotionFilter(reads, caller, query));
  return { items: counts.map(({ actor, count }) => ({ actor: presentActor(actor), count })), isCut };
};
