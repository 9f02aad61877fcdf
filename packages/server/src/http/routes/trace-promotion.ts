/** `GET /promotions/{promotion}/events`: its own chain, also what is not yet in the global one. */
import { presentEvent } from '../present/present-rows.ts';
import { readVisiblePromotion } from '../read-visible-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const tracePromotion: RouteHandler<'tracePromotion'> = async ({ reads }, { caller, parameters, query }) => {
  const { snapshot } = await readVisiblePromotion(reads, caller, parameters.promotion);
  const events = await reads.readPromotionEvents(snapshot.promotion.id, query.after, query.limit);
  return { items: events.map(presentEvent) };
};
