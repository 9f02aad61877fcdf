/** Which approvals count (safety S9): distinct persons, none of them the requester, entitled now, bound to this base. */
import { isPlanted } from '../../planted-bugs.ts';
import type { ApprovalGateDefinition } from '../../environment/environment-definition.ts';
import { personOf } from '../../identity/actor.ts';
import { isAllowed } from '../../identity/authorize.ts';
import type { GateRunId } from '../../values/ids.ts';
import type { Approval, Promotion } from '../promotion.ts';
import type { PromotionSnapshot } from '../snapshot.ts';

export function countApprovals(
  { promotion, approvals }: Pick<PromotionSnapshot, 'promotion' | 'approvals'>,
  gate: ApprovalGateDefinition,
  gateRunId: GateRunId,
): number {
  const counting = approvals.filter((one) => one.gateRunId === gateRunId && doesCount(promotion, gate, one));
  return new Set(counting.map((approval) => approval.personId)).size;
}

function doesCount(promotion: Promotion, gate: ApprovalGateDefinition, approval: Approval): boolean {
  return (
    approval.decision === 'approved' &&
    (approval.personId !== personOf(promotion.requestedBy) || isPlanted('approval.own_request')) &&
    (approval.baseReleaseId === promotion.baseReleaseId || isPlanted('approval.of_older_base')) &&
    approval.definitionHash === promotion.definitionHash &&
    (gate.group === null || gate.group.includes(approval.subject)) &&
    (isAllowed(approval.bindingsNow, 'promotion.approve', promotion.environment) ||
      isPlanted('approval.after_lost_right'))
  );
}
