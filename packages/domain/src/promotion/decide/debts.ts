/**
 * What a completed promotion owes, and what it settles: each gate that it stepped around is still to pass, and whatever
 * earlier releases owed here is owed for nothing that runs.
 */
import type { GateDebt } from '../gate-debt.ts';
import { runsBeside } from '../scope.ts';
import { addEvent, type Draft } from './draft.ts';

/** In the transaction that completes the promotion, which holds the environment's row. */
export function settleDebts(draft: Draft): void {
  const { nowMs, ids } = draft.context;
  const { id: promotionId, environment, releaseId, definitionHash } = draft.promotion;
  for (const debt of draft.debts.filter((one) => isOverwritten(draft, one))) {
    const message = `${draft.snapshot.release.name} was completed by ${promotionId}`;
    const closed = { ...debt, state: 'superseded' as const, closedAtMs: nowMs, dueAtMs: null, message };
    draft.debts = draft.debts.map((other) => (other.id === debt.id ? closed : other));
    addEvent(draft, 'debt.superseded', { gate: debt.gate, of: debt.promotionId }, debt.id);
  }
  for (const skip of draft.skips.filter((one) => one.state === 'used')) {
    const run = draft.gateRuns.find((one) => one.id === skip.gateRunId);
    if (!run) continue;
    const id = ids.next('dbt');
    draft.debts.push({
      id,
      promotionId,
      environment,
      releaseId,
      gate: skip.gate,
      kind: run.kind,
      gateRunId: run.id,
      skipId: skip.id,
      definitionHash,
      state: 'open',
      openedAtMs: nowMs,
      closedAtMs: null,
      dueAtMs: nowMs,
      askCount: 0,
      lastAskedAtMs: null,
      lastOutcome: null,
      message: '',
    });
    addEvent(draft, 'debt.opened', { gate: skip.gate, skip: skip.id }, id);
  }
}

/** Nothing that runs here is of the promotion that owes: this one brought all of its components, some perhaps once more. */
function isOverwritten({ promotion, environment, snapshot }: Draft, debt: GateDebt): boolean {
  return (
    debt.state === 'open' &&
    debt.promotionId !== promotion.id &&
    !runsBeside(environment, debt.releaseId, snapshot.release)
  );
}
