/** `GET /promotions/{promotion}/gates` */
import { presentGateRuns } from '../present/present-promotion.ts';
import { readVisiblePromotion } from '../read-visible-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listGateRuns: RouteHandler<'listGateRuns'> = async ({ reads }, { caller, parameters, query }) => {
  const { snapshot } = await readVisiblePromotion(reads, caller, parameters.promotion);
  const runs = presentGateRuns(snapshot);
  const { status } = query;
  return {
    promotionId: snapshot.promotion.id,
    items: status === undefined ? runs : runs.filter((run) => run.state === status),
  };
};
