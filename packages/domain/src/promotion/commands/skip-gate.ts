/**
 * `promotion gate skip` asks to step around a gate; `promotion approve --skip` and `promotion reject --skip` decide about
 * it (safety S8). A request changes nothing but itself: the gate goes on being asked until a second person approves.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { isSkippable } from '../../environment/environment-definition.ts';
import { AppError } from '../../errors/app-error.ts';
import { formatActor, personOf } from '../../identity/actor.ts';
import { authorize, type Principal } from '../../identity/authorize.ts';
import { currentGateRuns, isSettled } from '../decide/gate-runs.ts';
import type { Decision } from '../decide/decision.ts';
import { addEvent, makeDraft, updateSkip } from '../decide/draft.ts';
import { isOpenSkip, type Skip } from '../skip.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { isTerminal } from '../status.ts';
import { concludeCommand, illegalTransition, requireGate, requirePerson } from './command.ts';

export interface SkipRequest {
  readonly gate: string;
  /** Not empty. */
  readonly reason: string;
}

/**
 * Errors: `auth.forbidden`, `auth.person_needed`, `input.invalid` without a reason, `gate.not_found`, `skip.forbidden`,
 * `skip.exists`, `promotion.illegal_transition` when the gate is not open.
 */
export function requestSkip(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  { gate: name, reason }: SkipRequest,
): Decision {
  const { promotion } = snapshot;
  authorize(principal, 'gate.skip', { environment: promotion.environment, name: `promotion ${promotion.id}` });
  const person = requirePerson(principal.actor, 'ask to skip a gate');
  if (reason.trim() === '') throw new AppError('input.invalid', { details: { message: 'a skip needs a reason' } });
  const gate = requireGate(snapshot, name);
  if (!isSkippable(gate)) {
    const { environment, id: promotionId } = promotion;
    throw new AppError('skip.forbidden', { details: { gate: name, environment, promotionId } });
  }
  const open = openSkipOf(snapshot, name);
  if (open) {
    const { id: skipId, requesterSubject: actor, state } = open;
    throw new AppError('skip.exists', { details: { gate: name, skipId, actor, state, promotionId: promotion.id } });
  }
  const run = currentGateRuns(snapshot).find((one) => one.gate === name);
  const isOpen = !isTerminal(promotion.status) && promotion.step === 'evaluate_gates' && run && !isSettled(run);
  if (!isOpen) throw illegalTransition(snapshot, `skip gate "${name}" of`);
  const draft = makeDraft(snapshot, context, principal.actor);
  const id = context.ids.next('skp');
  draft.skips.push({
    id,
    gateRunId: run.id,
    gate: name,
    requestedBy: person.id,
    requesterSubject: person.subject,
    reason,
    requestedAtMs: context.nowMs,
    baseReleaseId: promotion.baseReleaseId,
    definitionHash: promotion.definitionHash,
    state: 'requested',
    decidedBy: null,
    deciderSubject: null,
    decisionReason: '',
    decidedAtMs: null,
    expiresAtMs: null,
    endedAtMs: null,
    message: '',
    deciderBindingsNow: [],
  });
  addEvent(draft, 'skip.requested', { skip: id, gate: name, round: run.round, reason }, name);
  return concludeCommand(draft);
}

export interface SkipDecision {
  readonly decision: 'approved' | 'rejected';
  readonly gate: string;
  readonly reason: string;
}

/**
 * A rejection ends the skip only, also one that is approved and not used yet. Errors: `auth.forbidden`,
 * `auth.person_needed`, `auth.own_request`, `auth.own_skip`, `gate.not_found`, `skip.not_found`, `skip.exists` when it
 * is approved already.
 */
export function decideSkip(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  { decision, gate, reason }: SkipDecision,
): Decision {
  const { promotion } = snapshot;
  const { actor } = principal;
  const verb = decision === 'approved' ? 'approve' : 'reject';
  authorize(principal, `promotion.${verb}`, { environment: promotion.environment, name: `promotion ${promotion.id}` });
  const person = requirePerson(actor, `${verb} a skip`);
  requireGate(snapshot, gate);
  const skip = openSkipOf(snapshot, gate);
  const promotionId = promotion.id;
  if (!skip) throw new AppError('skip.not_found', { details: { gate, promotionId } });
  if (verb === 'approve') {
    refuseFirstPerson(snapshot, skip, principal);
    if (skip.state === 'approved') {
      const details = { gate, skipId: skip.id, actor: skip.requesterSubject, state: skip.state, promotionId };
      throw new AppError('skip.exists', { details });
    }
  }
  const draft = makeDraft(snapshot, context, actor);
  const { nowMs } = context;
  const expiresAtMs = nowMs + snapshot.settings['skips.expireAfter'];
  updateSkip(draft, skip, {
    state: decision,
    decidedBy: person.id,
    deciderSubject: person.subject,
    decisionReason: reason,
    decidedAtMs: nowMs,
    deciderBindingsNow: principal.bindings,
    ...(verb === 'approve' ? { expiresAtMs } : { endedAtMs: nowMs }),
  });
  addEvent(draft, `skip.${decision}`, { skip: skip.id, gate, reason, base: promotion.baseReleaseId }, gate);
  return concludeCommand(draft);
}

/** The skip of a gate that somebody may still decide about, or a deploy may still use. */
function openSkipOf({ promotion, skips }: PromotionSnapshot, gate: string): Skip | null {
  if (isTerminal(promotion.status)) return null;
  return skips.find((skip) => skip.gate === gate && isOpenSkip(skip)) ?? null;
}

function refuseFirstPerson({ promotion }: PromotionSnapshot, skip: Skip, { actor }: Principal): void {
  const details = { actor: formatActor(actor), promotionId: promotion.id, gate: skip.gate };
  if (isPlanted('skip.of_one_person')) return;
  const hint = `another person with the role approver must run: stella promotion approve ${promotion.id} --skip ${skip.gate}`;
  if (personOf(promotion.requestedBy) === personOf(actor)) throw new AppError('auth.own_request', { details, hint });
  if (skip.requestedBy === personOf(actor)) throw new AppError('auth.own_skip', { details });
}
