/** `promotion retry` of a live promotion: its failed part gets a new attempt now. An ended one is repeated by a new one. */
import { authorize, type Principal } from '../../identity/authorize.ts';
import type { Decision } from '../decide/decision.ts';
import { addEvent, makeDraft, updatePromotion } from '../decide/draft.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { canRetryNow, concludeCommand, illegalTransition } from './command.ts';

/** Errors: `auth.forbidden`, `promotion.illegal_transition` when nothing of it has failed. */
export function retryPromotion(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  reason: string,
): Decision {
  const { promotion } = snapshot;
  authorize(principal, 'promotion.retry', { environment: promotion.environment, name: `promotion ${promotion.id}` });
  if (!canRetryNow(snapshot)) throw illegalTransition(snapshot, 'retry');
  const draft = makeDraft(snapshot, context, principal.actor);
  updatePromotion(draft, { retryRequestedAtMs: context.nowMs });
  addEvent(draft, 'promotion.retry_requested', { reason });
  return concludeCommand(draft);
}
