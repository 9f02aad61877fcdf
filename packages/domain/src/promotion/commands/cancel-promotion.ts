/** `promotion cancel`: accepted in every live status (safety L7); repeating it changes nothing. */
import { isPlanted } from '../../planted-bugs.ts';
import { authorize, type Principal } from '../../identity/authorize.ts';
import type { Decision } from '../decide/decision.ts';
import { addEvent, makeDraft, updatePromotion } from '../decide/draft.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { isTerminal } from '../status.ts';
import { concludeCommand, illegalTransition } from './command.ts';

/** Errors: `auth.forbidden`, `promotion.illegal_transition` when it has ended. */
export function cancelPromotion(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  reason: string,
): Decision {
  const { promotion } = snapshot;
  authorize(principal, 'promotion.cancel', { environment: promotion.environment, name: `promotion ${promotion.id}` });
  if (isTerminal(promotion.status) && !isPlanted('terminal.cancelled_again'))
    throw illegalTransition(snapshot, 'cancel');
  const draft = makeDraft(snapshot, context, principal.actor);
  if (promotion.cancelRequestedAtMs === null) {
    updatePromotion(draft, { cancelRequestedAtMs: context.nowMs, cancelRequestedBy: principal.actor });
    addEvent(draft, 'promotion.cancel_requested', { reason });
  }
  return concludeCommand(draft);
}
