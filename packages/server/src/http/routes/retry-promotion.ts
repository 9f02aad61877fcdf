/** `POST /promotions/{promotion}/retry` */
import { orderPromotion } from '../order-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const retryPromotion: RouteHandler<'retryPromotion'> = (deps, context) =>
  orderPromotion(deps, context, { kind: 'retry', reason: context.body.reason });
