/** `POST /promotions/{promotion}/gates/{gate}/skip` */
import { orderPromotion } from '../order-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const skipGate: RouteHandler<'skipGate'> = (deps, context) =>
  orderPromotion(deps, context, {
    kind: 'skip_gate',
    gate: context.parameters.gate,
    reason: context.body.reason,
  });
