/** `POST /promotions/{promotion}/priority` */
import { orderPromotion } from '../order-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const changePriority: RouteHandler<'changePriority'> = (deps, context) =>
  orderPromotion(deps, context, {
    kind: 'priority',
    priority: context.body.priority,
    reason: context.body.reason,
  });
