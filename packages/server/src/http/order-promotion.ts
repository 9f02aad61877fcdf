/** The words that people say to a promotion: one way through for all of them. */
import type { RouteName } from '@stella/contract';
import { commandPromotion, type PromotionWord } from '../engine/commands/command-promotion.ts';
import { presentPromotion, promotionEtag } from './present/present-promotion.ts';
import type { HttpDeps, RequestContext } from './route-handler.ts';

type OrderRoute = Extract<
  RouteName,
  'approvePromotion' | 'rejectPromotion' | 'skipGate' | 'cancelPromotion' | 'retryPromotion' | 'changePriority'
>;

export async function orderPromotion<Name extends OrderRoute>(
  deps: HttpDeps,
  context: Pick<RequestContext<Name>, 'caller' | 'seenVersion' | 'setEtag' | 'write'> & {
    readonly parameters: { readonly promotion: string };
  },
  word: PromotionWord,
): Promise<object> {
  const promotionId = await deps.reads.findPromotionId(context.parameters.promotion);
  const answer = await context.write(async (tx) => {
    const order = { promotionId, version: context.seenVersion, word };
    const shown = await commandPromotion(tx, deps, context.caller, order);
    const snapshot = await tx.readPromotion(shown);
    context.setEtag(promotionEtag(snapshot, tx.nowMs));
    return presentPromotion(snapshot, tx.nowMs);
  });
  deps.wake();
  return answer;
}
