/** `promotion approve|reject|cancel|retry`, `gate skip` and `priority set`: locks the row, asks the domain, writes what it decided. */
import {
  AppError,
  approvableDebt,
  approveDebt,
  cancelPromotion,
  changePriority,
  type DecideContext,
  decideApproval,
  decideSkip,
  type Decision,
  type IdSource,
  isTerminal,
  type Priority,
  type Principal,
  type PromotionId,
  type PromotionSnapshot,
  requestSkip,
  retryPromotion,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import { createPromotion } from './create-promotion.ts';

export type PromotionWord =
  | {
      readonly kind: 'approve' | 'reject';
      readonly gate: string | null;
      /** The gate whose skip it is about, instead. */
      readonly skip?: string | null;
      readonly reason: string;
    }
  | { readonly kind: 'skip_gate'; readonly gate: string; readonly reason: string }
  | { readonly kind: 'priority'; readonly priority: Priority; readonly reason: string }
  | { readonly kind: 'cancel' | 'retry'; readonly reason: string };

export interface PromotionOrder {
  readonly promotionId: PromotionId;
  /** The version that the caller has seen; null: whatever it is now. */
  readonly version: number | null;
  readonly word: PromotionWord;
}

/**
 * Errors: those of the domain's commands, `promotion.not_found`, `promotion.version`. Answers the promotion to look at:
 * the same one, or for the retry of an ended one the new one.
 */
export async function commandPromotion(
  tx: CommandTransaction,
  deps: { ids: IdSource },
  principal: Principal,
  { promotionId, version, word }: PromotionOrder,
): Promise<PromotionId> {
  const snapshot = await tx.lockPromotion(promotionId);
  if (!snapshot) throw new AppError('promotion.not_found', { details: { name: promotionId } });
  if (version !== null && snapshot.promotion.version !== version) {
    throw new AppError('promotion.version', { details: { promotionId } });
  }
  const { promotion, release } = snapshot;
  if (word.kind === 'retry' && isTerminal(promotion.status) && promotion.status !== 'completed') {
    const { environment, priority, kind, isForced } = promotion;
    const wish = { release, environment, priority, kind, isForced, reason: word.reason, retryOf: promotionId };
    return createPromotion(tx, deps, principal, wish);
  }
  const debt = word.kind === 'approve' && !word.skip ? approvableDebt(snapshot, word.gate) : null;
  if (debt) {
    const given = approveDebt(snapshot, { nowMs: tx.nowMs, ids: deps.ids }, principal, { debt, reason: word.reason });
    await tx.writeDebtApproval(given);
    await tx.writeEvents([given.event]);
    return promotionId;
  }
  const context: DecideContext = { nowMs: tx.nowMs, ids: deps.ids, guard: null, isTakeover: false };
  await tx.writeDecision(decideWord(snapshot, context, principal, word));
  return promotionId;
}

function decideWord(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  word: PromotionWord,
): Decision {
  switch (word.kind) {
    case 'approve':
    case 'reject': {
      const decision = word.kind === 'approve' ? 'approved' : 'rejected';
      if (word.skip) {
        refuseBoth(word.gate);
        return decideSkip(snapshot, context, principal, { decision, gate: word.skip, reason: word.reason });
      }
      return decideApproval(snapshot, context, principal, { decision, gate: word.gate, reason: word.reason });
    }
    case 'skip_gate':
      return requestSkip(snapshot, context, principal, { gate: word.gate, reason: word.reason });
    case 'priority':
      return changePriority(snapshot, context, principal, { priority: word.priority, reason: word.reason });
    case 'cancel':
      return cancelPromotion(snapshot, context, principal, word.reason);
    case 'retry':
      return retryPromotion(snapshot, context, principal, word.reason);
  }
}

function refuseBoth(gate: string | null): void {
  if (gate === null) return;
  const message = 'a decision is about a gate or about a skip; name one of them';
  throw new AppError('input.invalid', { details: { message } });
}
