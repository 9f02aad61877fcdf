/** Skips of gates, and what they leave to be done, as the API shows them. */
import type { Answer } from '@stella/contract';
import { type GateDebt, type PromotionId, type Skip, toRfc3339 } from '@stella/domain';
import { presentInstant } from './values.ts';

type Detail = Answer<'getPromotion'>;

export function presentSkip(skip: Skip, promotionId: PromotionId): Detail['gates'][number]['skips'][number] {
  return {
    id: skip.id,
    gate: skip.gate,
    state: skip.state,
    requestedBy: skip.requesterSubject,
    reason: skip.reason,
    requestedAt: toRfc3339(skip.requestedAtMs),
    decidedBy: skip.deciderSubject,
    decidedAt: presentInstant(skip.decidedAtMs),
    expiresAt: presentInstant(skip.expiresAtMs),
    endedAt: presentInstant(skip.endedAtMs),
    message: skip.message,
    approveCommand: skip.state === 'requested' ? `stella promotion approve ${promotionId} --skip ${skip.gate}` : null,
  };
}

export function presentDebt(debt: GateDebt): Detail['debts'][number] {
  return {
    id: debt.id,
    promotionId: debt.promotionId,
    gate: debt.gate,
    kind: debt.kind,
    state: debt.state,
    openedAt: toRfc3339(debt.openedAtMs),
    closedAt: presentInstant(debt.closedAtMs),
    dueAt: presentInstant(debt.dueAtMs),
    askCount: debt.askCount,
    lastAskedAt: presentInstant(debt.lastAskedAtMs),
    lastOutcome: debt.lastOutcome,
    message: debt.message,
  };
}
