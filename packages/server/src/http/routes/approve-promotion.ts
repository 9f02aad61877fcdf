/** `POST /promotions/{promotion}/approve` */
import { orderPromotion } from '../order-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const approvePromotion: RouteHandler<'approvePromotion'> = (deps, context) =>
  orderPromotion(deps, context, {
    kind: 'approve',
    gate: context.body.gate ?? null,
    skip: context.body.skip ?? null,
    reason: context.body.reason,
  });
