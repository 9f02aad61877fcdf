/** `POST /promotions/{promotion}/reject` */
import { orderPromotion } from '../order-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const rejectPromotion: RouteHandler<'rejectPromotion'> = (deps, context) =>
  orderPromotion(deps, context, {
    kind: 'reject',
    gate: context.body.gate ?? null,
    skip: context.body.skip ?? null,
    reason: context.body.reason,
  });
