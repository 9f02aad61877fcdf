/** Which approvals count (safety S9): distinct persons, none of them the requester, entitled now, bound to this base. */
import { isPlanted } from '../../planted-bugs.ts';
import type { ApprovalGateDefinition } from '../../environment/environment-definition.ts';
import { personOf } from '../../identity/actor.ts';
import { isAllowed } from '../../identity/authorize.ts';
import type { Approval, GateRun } from '../promotion.ts';
import type { Draft } from './draft.ts';

export function countApprovals(draft: Draft, gate: ApprovalGateDefinition, run: GateRun): number {
  const persons = new Set(
    draft.snapshot.approvals
      .filter((approval) => doesCount(draft, gate, run, approval))
      .map((approval) => approval.personId),
  );
  return persons.size;
}

function doesCount(draft: Draft, gate: ApprovalGateDefinition, run: GateRun, approval: Approval): boolean {
  const { promotion } = draft;
  return (
    approval.gateRunId === run.id &&
    approval.decision === 'approved' &&
    (approval.personId !== personOf(promotion.requestedBy) || isPlanted('approval.own_request')) &&
    (approval.baseReleaseId === promotion.baseReleaseId || isPlanted('approval.of_older_base')) &&
    approval.definitionHash === promotion.definitionHash &&
    (gate.group === null || gate.group.includes(approval.subject)) &&
    (isAllowed(approval.bindingsNow, 'promotion.approve', promotion.environment) ||
      isPlanted('approval.after_lost_right'))
  );
}
