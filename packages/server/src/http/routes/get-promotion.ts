/** `GET /promotions/{promotion}` */
import { presentPromotion, promotionEtag } from '../present/present-promotion.ts';
import { readVisiblePromotion } from '../read-visible-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const getPromotion: RouteHandler<'getPromotion'> = async ({ reads }, { caller, parameters, setEtag }) => {
  const { snapshot, nowMs } = await readVisiblePromotion(reads, caller, parameters.promotion);
  setEtag(promotionEtag(snapshot, nowMs));
  return presentPromotion(snapshot, nowMs);
};
