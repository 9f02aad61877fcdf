/**
 * What people ask of a live promotion. A command is pure: snapshot and principal in, decision or `AppError` out. It
 * writes down what was asked and makes the promotion due; the worker that looks next carries it out by `decide`.
 */
import { type GateDefinition, isSkippable, isAttemptKind } from '../../environment/environment-definition.ts';
import { gateNamed } from '../../environment/freeze.ts';
import { AppError } from '../../errors/app-error.ts';
import type { Actor } from '../../identity/actor.ts';
import { nearestOf } from '../../values/nearest.ts';
import { concludeDraft } from '../decide/conclude.ts';
import type { Decision } from '../decide/decision.ts';
import type { Draft } from '../decide/draft.ts';
import { currentGateRuns, isHeld, isSettled } from '../decide/gate-runs.ts';
import type { GateRun, Promotion } from '../promotion.ts';
import type { GateDebt } from '../gate-debt.ts';
import { isOpenSkip } from '../skip.ts';
import type { PromotionSnapshot } from '../snapshot.ts';
import { isTerminal } from '../status.ts';

export const PROMOTION_COMMANDS = ['approve', 'reject', 'cancel', 'retry'] as const;
export type PromotionCommand = (typeof PROMOTION_COMMANDS)[number];

/** What a person alone may do, whatever rights an automation has. Throws `auth.person_needed`. */
export function requirePerson(actor: Actor, action: string): Extract<Actor, { kind: 'person' }> {
  if (actor.kind === 'person') return actor;
  throw new AppError('auth.person_needed', { details: { action } });
}

/** Throws `gate.not_found`, naming the nearest. */
export function requireGate({ promotion }: Pick<PromotionSnapshot, 'promotion'>, name: string): GateDefinition {
  const { gates } = promotion.definition;
  const gate = gateNamed(promotion.definition, name);
  if (gate) return gate;
  const nearest = nearestOf(
    name,
    gates.map((one) => one.name),
  );
  throw new AppError('gate.not_found', {
    details: { name, promotionId: promotion.id, nearest },
    ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}

/** A gate may name who decides at it. Throws `auth.forbidden`. */
export function refuseOutsider(promotion: Promotion, gate: GateDefinition, subject: string): void {
  if (gate.kind !== 'approval' || gate.group === null || gate.group.includes(subject)) return;
  throw new AppError('auth.forbidden', {
    details: {
      actor: subject,
      action: 'decide',
      object: `gate ${gate.name} of ${promotion.id}`,
      role: `a place in its group (${gate.group.join(', ')})`,
    },
  });
}

/** Approval gates that a completed promotion stepped around, and that still want their persons. */
export function openApprovalDebts({ promotion, debts }: Pick<PromotionSnapshot, 'promotion' | 'debts'>): GateDebt[] {
  return debts.filter((debt) => debt.promotionId === promotion.id && debt.kind === 'approval' && debt.state === 'open');
}

/** Keeps the claim as it is and makes the promotion due now. */
export function concludeCommand(draft: Draft): Decision {
  const { workerId } = draft.promotion;
  const nextActionAtMs = isTerminal(draft.promotion.status) ? null : draft.context.nowMs;
  return concludeDraft(draft, { workerId, nextActionAtMs });
}

/** What may be asked of it now, for errors and for status. */
export function possibleCommands(
  snapshot: Pick<PromotionSnapshot, 'promotion' | 'gateRuns' | 'steps'>,
): PromotionCommand[] {
  const { promotion } = snapshot;
  if (isTerminal(promotion.status)) return promotion.status === 'completed' ? [] : ['retry'];
  const commands: PromotionCommand[] = [];
  if (openApprovals(snapshot).length > 0) commands.push('approve', 'reject');
  if (promotion.cancelRequestedAtMs === null) commands.push('cancel');
  if (canRetryNow(snapshot)) commands.push('retry');
  return commands;
}

type Commandable = Pick<PromotionSnapshot, 'promotion' | 'gateRuns' | 'steps' | 'skips' | 'debts'>;

/** The same as they are typed, with those about skips. */
export function possibleLines(snapshot: Commandable): string[] {
  const { id } = snapshot.promotion;
  return [...possibleCommands(snapshot).map((command) => `stella promotion ${command} ${id}`), ...skipLines(snapshot)];
}

function skipLines(snapshot: Commandable): string[] {
  const { promotion, skips } = snapshot;
  if (isTerminal(promotion.status)) {
    return openApprovalDebts(snapshot).map(({ gate }) => `stella promotion approve ${promotion.id} --gate ${gate}`);
  }
  const open = skips.filter(isOpenSkip);
  const deciding = open.flatMap(({ gate, state }) =>
    (state === 'requested' ? ['approve', 'reject'] : ['reject']).map(
      (verb) => `stella promotion ${verb} ${promotion.id} --skip ${gate}`,
    ),
  );
  const asking = skippableGates(snapshot)
    .filter((gate) => open.every((skip) => skip.gate !== gate))
    .map((gate) => `stella promotion gate skip ${promotion.id} ${gate} --reason "…"`);
  return [...deciding, ...asking];
}

/** Gates that are open and may be skipped. */
export function skippableGates(snapshot: Pick<PromotionSnapshot, 'promotion' | 'gateRuns'>): string[] {
  const { promotion } = snapshot;
  if (isTerminal(promotion.status) || promotion.step !== 'evaluate_gates') return [];
  return currentGateRuns(snapshot)
    .filter((run) => !isSettled(run))
    .map((run) => run.gate)
    .filter((name) => isSkippable(requireGate(snapshot, name)));
}

/** Approval gates that wait for a decision. */
export function openApprovals({ promotion, gateRuns }: Pick<PromotionSnapshot, 'promotion' | 'gateRuns'>): GateRun[] {
  if (isTerminal(promotion.status) || promotion.step !== 'evaluate_gates') return [];
  return gateRuns.filter((run) => run.kind === 'approval' && run.state === 'waiting');
}

/** A live promotion has a failed part that a retry can give a new attempt, or was set aside. */
export function canRetryNow({
  promotion,
  gateRuns,
  steps,
}: Pick<PromotionSnapshot, 'promotion' | 'gateRuns' | 'steps'>): boolean {
  if (isTerminal(promotion.status)) return false;
  if (promotion.setAside !== null) return true;
  if (promotion.step === 'precheck') return steps.some((run) => run.step === 'precheck' && run.state === 'waiting');
  if (promotion.step !== 'evaluate_gates') return false;
  return gateRuns.some(
    (run) => !isSettled(run) && (isHeld(run) || (isAttemptKind(run.kind) && run.state === 'waiting')),
  );
}

export function illegalTransition(snapshot: Commandable, action: string): AppError {
  const promotion: Promotion = snapshot.promotion;
  const possible = possibleLines(snapshot);
  return new AppError('promotion.illegal_transition', {
    details: {
      action,
      promotionId: promotion.id,
      status: promotion.status,
      possible: possible.length > 0 ? possible.join(', ') : `nothing; see stella promotion status ${promotion.id}`,
    },
  });
}
