/** A service calls back: the row that takes each verdict and each id once, and what becomes of the attempt, together. */
import {
  AppError,
  type CallbackVerdict,
  type DecideContext,
  type IdSource,
  isPlanted,
  takeCallback,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import type { CallbackPlace } from '../../ports/read-store.ts';

export interface CallbackOrder {
  readonly place: CallbackPlace;
  readonly verdict: CallbackVerdict;
  readonly webhookId: string;
  /** In canonical form. */
  readonly body: string;
}

/** Errors: `callback.unknown`, `callback.replayed`, `callback.foreign`, `callback.void`. Then nothing is written. */
export async function takeGateCallback(
  tx: CommandTransaction,
  deps: { readonly ids: IdSource },
  { place, verdict, webhookId, body }: CallbackOrder,
): Promise<void> {
  const { operationId, gateRunId } = verdict;
  // Of a debt the promotion has ended and does not change: the collector, which asked, reads the row.
  const snapshot = place.isDebt ? null : await tx.lockPromotion(place.promotionId);
  const how = await tx.insertCallback({
    operationId,
    gateRunId,
    webhookId,
    verdict: verdict.verdict,
    message: verdict.message,
    body,
  });
  const isTakenAgain = isPlanted('callback.taken_twice');
  if (how === 'replayed' && !isTakenAgain) throw new AppError('callback.replayed', { details: { id: webhookId } });
  if (how === 'answered' && !isTakenAgain) {
    throw new AppError('callback.void', { details: { operationId, message: 'it has its verdict' } });
  }
  if (snapshot === null) return;
  const context: DecideContext = { nowMs: tx.nowMs, ids: deps.ids, guard: null, isTakeover: false };
  await tx.writeDecision(takeCallback(snapshot, context, verdict));
}
