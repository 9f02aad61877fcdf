/**
 * `promotion approve` of a completed promotion that stepped around an approval gate: the persons who were not asked then
 * are asked now. The promotion stays as it is; the approval is recorded for the gate's run, and the debt is looked at.
 */
import type { EventDraft } from '../../audit/event.ts';
import { AppError } from '../../errors/app-error.ts';
import { formatActor, personOf } from '../../identity/actor.ts';
import { authorize, type Principal } from '../../identity/authorize.ts';
import type { GateDebt } from '../gate-debt.ts';
import type { Approval } from '../promotion.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { openApprovalDebts, refuseOutsider, requireGate, requirePerson } from './command.ts';

export interface DebtApproval {
  readonly approval: Approval;
  /** To be looked at now. */
  readonly debt: GateDebt;
  readonly event: EventDraft;
}

/** The open debt that such an approval is about; null when it is about something else. */
export function approvableDebt(snapshot: PromotionSnapshot, gate: string | null): GateDebt | null {
  const open = openApprovalDebts(snapshot);
  if (gate === null) return open.length === 1 ? (open[0] ?? null) : null;
  return open.find((debt) => debt.gate === gate) ?? null;
}

/** Errors: `auth.forbidden`, `auth.person_needed`, `auth.own_request`, `approval.repeated`. */
export function approveDebt(
  snapshot: PromotionSnapshot,
  { nowMs, ids }: Pick<DecideContext, 'nowMs' | 'ids'>,
  { actor, bindings }: Principal,
  { debt, reason }: { readonly debt: GateDebt; readonly reason: string },
): DebtApproval {
  const { promotion } = snapshot;
  const { id: promotionId, environment } = promotion;
  authorize({ actor, bindings }, 'promotion.approve', { environment, name: `promotion ${promotionId}` });
  const person = requirePerson(actor, 'approve');
  if (personOf(promotion.requestedBy) === person.id) {
    throw new AppError('auth.own_request', { details: { actor: formatActor(actor), promotionId } });
  }
  refuseOutsider(promotion, requireGate(snapshot, debt.gate), person.subject);
  if (snapshot.approvals.some((one) => one.gateRunId === debt.gateRunId && one.personId === person.id)) {
    throw new AppError('approval.repeated', { details: { actor: person.subject, gate: debt.gate, promotionId } });
  }
  const approval: Approval = {
    id: ids.next('apv'),
    gateRunId: debt.gateRunId,
    gate: debt.gate,
    personId: person.id,
    subject: person.subject,
    decision: 'approved',
    reason,
    baseReleaseId: promotion.baseReleaseId,
    definitionHash: promotion.definitionHash,
    atMs: nowMs,
    bindingsNow: bindings,
  };
  const data = { promotion: promotionId, environment, gate: debt.gate, reason };
  return {
    approval,
    debt: { ...debt, dueAtMs: nowMs },
    event: { type: 'debt.approved', actor, atMs: nowMs, promotionId: null, subject: debt.id, data },
  };
}
