/**
 * `promotion priority set`: moves a live promotion within the queue of its environment. It counts at once, for it and for
 * those that wait there; who holds the lock keeps it. With `queue: latest` it also counts for who makes way for whom.
 */
import { authorize, type Principal } from '../../identity/authorize.ts';
import type { Decision } from '../decide/decision.ts';
import { addEvent, makeDraft, updatePromotion } from '../decide/draft.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { isTerminal, type Priority } from '../status.ts';
import { concludeCommand, illegalTransition } from './command.ts';

export interface PriorityOrder {
  readonly priority: Priority;
  readonly reason: string;
}

/** Repeating it changes nothing. Errors: `auth.forbidden`, `promotion.illegal_transition` when it has ended. */
export function changePriority(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  { priority, reason }: PriorityOrder,
): Decision {
  const { promotion } = snapshot;
  const { id, environment } = promotion;
  authorize(principal, 'promotion.prioritize', { environment, name: `promotion ${id}` });
  if (isTerminal(promotion.status)) throw illegalTransition(snapshot, 'change the priority of');
  const draft = makeDraft(snapshot, context, principal.actor);
  if (promotion.priority !== priority) {
    updatePromotion(draft, { priority });
    addEvent(draft, 'promotion.priority_changed', { from: promotion.priority, to: priority, reason });
    // Whoever is first now must find it out.
    draft.wakesEnvironment = promotion.step === 'acquire_locks';
  }
  return concludeCommand(draft);
}
