/** `POST /promotions/{promotion}/cancel` */
import { orderPromotion } from '../order-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const cancelPromotion: RouteHandler<'cancelPromotion'> = (deps, context) =>
  orderPromotion(deps, context, { kind: 'cancel', reason: context.body.reason });
