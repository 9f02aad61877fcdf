/** `promotion approve` and `promotion reject`: a person's decision at one approval gate (safety S9). */
import { isPlanted } from '../../planted-bugs.ts';
import { AppError } from '../../errors/app-error.ts';
import { formatActor, personOf } from '../../identity/actor.ts';
import { authorize, type Principal } from '../../identity/authorize.ts';
import { describeBaseChange } from '../../release/component-differences.ts';
import type { Decision } from '../decide/decision.ts';
import { addEvent, makeDraft } from '../decide/draft.ts';
import type { GateRun } from '../promotion.ts';
import { baseIdOf, isOlderThanBase } from '../scope.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import {
  concludeCommand,
  illegalTransition,
  openApprovals,
  refuseOutsider,
  requireGate,
  requirePerson,
} from './command.ts';

export interface ApprovalInput {
  readonly decision: 'approved' | 'rejected';
  /** Null: the only open approval gate. */
  readonly gate: string | null;
  readonly reason: string;
}

/**
 * Errors: `auth.forbidden`, `auth.person_needed`, `auth.own_request`, `gate.not_found`, `promotion.illegal_transition`,
 * `approval.repeated`, `approval.base_changed`, `input.invalid` when several gates wait and none is named.
 */
export function decideApproval(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  input: ApprovalInput,
): Decision {
  const verb = input.decision === 'approved' ? 'approve' : 'reject';
  const { promotion } = snapshot;
  const { actor } = principal;
  authorize(principal, `promotion.${verb}`, { environment: promotion.environment, name: `promotion ${promotion.id}` });
  const person = requirePerson(actor, verb);
  if (verb === 'approve' && personOf(promotion.requestedBy) === person.id && !isPlanted('approval.own_request')) {
    throw new AppError('auth.own_request', { details: { actor: formatActor(actor), promotionId: promotion.id } });
  }
  const run = findGate(snapshot, input, verb);
  if (verb === 'approve') refuseOtherBase(snapshot);
  refuseOutsider(promotion, requireGate(snapshot, run.gate), person.subject);
  if (snapshot.approvals.some((one) => one.gateRunId === run.id && one.personId === person.id)) {
    throw new AppError('approval.repeated', {
      details: { actor: person.subject, gate: run.gate, promotionId: promotion.id },
    });
  }
  const draft = makeDraft(snapshot, context, actor);
  draft.newApprovals.push({
    id: context.ids.next('apv'),
    gateRunId: run.id,
    gate: run.gate,
    personId: person.id,
    subject: person.subject,
    decision: input.decision,
    reason: input.reason,
    baseReleaseId: promotion.baseReleaseId,
    definitionHash: promotion.definitionHash,
    atMs: context.nowMs,
    bindingsNow: principal.bindings,
  });
  const type = verb === 'approve' ? 'promotion.approved' : 'promotion.rejected_by_person';
  addEvent(
    draft,
    type,
    { gate: run.gate, round: run.round, reason: input.reason, base: promotion.baseReleaseId },
    run.gate,
  );
  return concludeCommand(draft);
}

/** He has looked at what goes over the old base; the gate is asked again over the new one within a moment. */
function refuseOtherBase({ promotion, release, environment, formerBase, base }: PromotionSnapshot): void {
  // Over a newer release it goes nowhere: it is about to end as superseded.
  const isOvertaken = isOlderThanBase(environment, release);
  if (promotion.baseReleaseId === baseIdOf(environment, release) || isOvertaken) return;
  const message = describeBaseChange(formerBase, base);
  throw new AppError('approval.base_changed', { details: { promotionId: promotion.id, message } });
}

function findGate(snapshot: PromotionSnapshot, input: ApprovalInput, verb: string): GateRun {
  const open = openApprovals(snapshot);
  if (input.gate !== null) {
    requireGate(snapshot, input.gate);
    const named = open.find((run) => run.gate === input.gate);
    if (named) return named;
    throw illegalTransition(snapshot, `${verb} gate "${input.gate}" of`);
  }
  const [only, ...others] = open;
  if (!only) throw illegalTransition(snapshot, verb);
  if (others.length > 0) {
    const message = `several gates wait for an approval: ${open.map((run) => run.gate).join(', ')}; name one with --gate`;
    throw new AppError('input.invalid', { details: { message } });
  }
  return only;
}
