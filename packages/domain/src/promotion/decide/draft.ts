/**
 * The state that one call of `decide` works on: a copy of the snapshot that the rules change, and the record of what
 * they changed. Lives only inside one call, so that `decide` stays pure for its caller.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { EventDraft, EventType } from '../../audit/event.ts';
import type { Actor } from '../../identity/actor.ts';
import type { Fence } from '../../locks/fence.ts';
import type { Json } from '../../values/canonical-json.ts';
import type { GateRunId, LockId } from '../../values/ids.ts';
import type { InstantMs } from '../../values/instant.ts';
import {
  type Approval,
  type Attempt,
  type AttemptPurpose,
  type AttemptResult,
  type Ending,
  type EnvironmentStatus,
  type GateRun,
  type Lock,
  operationIdOf,
  type Promotion,
  type StepRun,
} from '../promotion.ts';
import type { GateDebt } from '../gate-debt.ts';
import { isOpenSkip, type Skip } from '../skip.ts';
import type { DecideContext, EnvironmentGuard, PromotionSnapshot } from '../snapshot.ts';
import { isTerminal, type PromotionStatus, type Step, type StepState, type TerminalStatus } from '../status.ts';
import type { SettledAttempt } from './decision.ts';

export interface Draft {
  readonly snapshot: PromotionSnapshot;
  readonly context: DecideContext;
  readonly actor: Actor;
  promotion: Promotion;
  steps: StepRun[];
  gateRuns: GateRun[];
  attempts: Attempt[];
  skips: Skip[];
  debts: GateDebt[];
  environment: EnvironmentStatus;
  locks: Lock[];
  readonly newAttempts: Attempt[];
  readonly settledAttempts: SettledAttempt[];
  readonly newApprovals: Approval[];
  readonly takenLocks: Lock[];
  readonly releasedLocks: LockId[];
  lockFence: Fence | null;
  needsGuard: boolean;
  wakesEnvironment: boolean;
  wakesOlder: boolean;
  readonly events: EventDraft[];
  readonly wakeAtsMs: InstantMs[];
}

export function makeDraft(snapshot: PromotionSnapshot, context: DecideContext, actor: Actor): Draft {
  return {
    snapshot,
    context,
    actor,
    promotion: snapshot.promotion,
    steps: [...snapshot.steps],
    gateRuns: [...snapshot.gateRuns],
    attempts: [...snapshot.attempts],
    skips: [...snapshot.skips],
    debts: [...snapshot.debts],
    environment: snapshot.environment,
    locks: [...snapshot.locks],
    newAttempts: [],
    settledAttempts: [],
    newApprovals: [],
    takenLocks: [],
    releasedLocks: [],
    lockFence: null,
    needsGuard: false,
    wakesEnvironment: false,
    wakesOlder: false,
    events: [],
    wakeAtsMs: [],
  };
}

/** The guard, or null after noting that the decision needs one; the rule then returns at once. */
export function requireGuard(draft: Draft): EnvironmentGuard | null {
  if (draft.context.guard === null) draft.needsGuard = true;
  return draft.context.guard;
}

export function updatePromotion(draft: Draft, patch: Partial<Promotion>): void {
  draft.promotion = { ...draft.promotion, ...patch };
}

export function addEvent(draft: Draft, type: EventType, data: Json, subject: string = draft.promotion.id): void {
  const { nowMs } = draft.context;
  draft.events.push({ type, actor: draft.actor, atMs: nowMs, promotionId: draft.promotion.id, subject, data });
}

/** Asks to be called again at that moment at the latest. */
export function wakeAt(draft: Draft, atMs: InstantMs): void {
  draft.wakeAtsMs.push(atMs);
}

/** A step change, a gate verdict, a target verified: what resets the stall clock. */
export function noteProgress(draft: Draft): void {
  updatePromotion(draft, { lastProgressAtMs: draft.context.nowMs });
}

export function stepRun(draft: Draft, step: Step): StepRun {
  return (
    draft.steps.find((run) => run.step === step) ?? {
      step,
      state: 'not_started',
      startedAtMs: null,
      endedAtMs: null,
      message: '',
    }
  );
}

export function updateStep(draft: Draft, step: Step, patch: Partial<StepRun>): void {
  const next = { ...stepRun(draft, step), ...patch };
  draft.steps = [...draft.steps.filter((run) => run.step !== step), next];
}

/** Sets what the current step is doing; no progress, no event: those belong to its end. */
export function setStepWaiting(draft: Draft, message: string): void {
  const run = stepRun(draft, draft.promotion.step);
  if (run.state !== 'waiting' || run.message !== message) {
    updateStep(draft, draft.promotion.step, { state: 'waiting', message });
  }
}

/** Ends the current step and begins another. */
export function moveToStep(draft: Draft, next: Step, ended: { state: StepState; message: string }): void {
  const { nowMs } = draft.context;
  const from = draft.promotion.step;
  updateStep(draft, from, { state: ended.state, endedAtMs: nowMs, message: ended.message });
  updateStep(draft, next, { state: 'running', startedAtMs: nowMs, endedAtMs: null, message: '' });
  updatePromotion(draft, { step: next });
  noteProgress(draft);
  if (isPlanted('event.missing_for_step')) return;
  addEvent(draft, 'promotion.step_changed', { from, outcome: ended.state, message: ended.message, to: next });
}

/** The terminal status; the step ends as given, the locks go back, whoever waits is woken (safety L4). */
export function endPromotion(
  draft: Draft,
  status: TerminalStatus,
  ending: Ending | null,
  stepState: StepState = 'failed',
): void {
  const { nowMs } = draft.context;
  const { step, ticket } = draft.promotion;
  if (ticket !== null) requireGuard(draft);
  updateStep(draft, step, { state: stepState, endedAtMs: nowMs, message: ending?.message ?? '' });
  noteProgress(draft);
  addEvent(draft, 'promotion.step_changed', {
    from: step,
    outcome: stepState,
    message: ending?.message ?? '',
    to: null,
  });
  updatePromotion(draft, {
    ending,
    endedAtMs: nowMs,
    ticket: null,
    preflightRevision: null,
    quotaWait: null,
    deployDeadlineAtMs: null,
  });
  for (const skip of draft.skips.filter(isOpenSkip)) lapseSkip(draft, skip, 'the promotion ended');
  if (!isPlanted('lock.kept_at_end')) releaseLocks(draft, status);
  setStatus(draft, status);
}

/** Ends a skip that no deploy has used; whoever relied on it finds its gate open again. */
export function lapseSkip(draft: Draft, skip: Skip, why: string): void {
  updateSkip(draft, skip, { state: 'lapsed', endedAtMs: draft.context.nowMs, message: why });
  addEvent(draft, 'skip.lapsed', { skip: skip.id, gate: skip.gate, why }, skip.gate);
}

export function updateSkip(draft: Draft, skip: Skip, patch: Partial<Skip>): void {
  draft.skips = draft.skips.map((other) => (other.id === skip.id ? { ...skip, ...patch } : other));
}

/** Changes the status when it differs; the only place that does. */
export function setStatus(draft: Draft, status: PromotionStatus): void {
  const from = draft.promotion.status;
  if (from === status) return;
  const entersProgress = status === 'in_progress' ? { inProgressSinceMs: draft.context.nowMs } : {};
  updatePromotion(draft, { status, ...entersProgress });
  const ending = draft.promotion.ending;
  if (isPlanted('event.missing_for_status')) return;
  addEvent(draft, 'promotion.status_changed', {
    from,
    to: status,
    ...(isTerminal(status) && ending ? { code: ending.code, message: ending.message } : {}),
  });
}

/**
 * Gives all own locks back and wakes whoever waits for the environment. Needs the guard: a waiter that has just read
 * the lock as held would otherwise miss the wake-up.
 */
export function releaseLocks(draft: Draft, reason: string): void {
  if (draft.locks.length > 0) requireGuard(draft);
  for (const lock of draft.locks) {
    draft.releasedLocks.push(lock.id);
    addEvent(draft, 'lock.released', { resource: lock.resource, reason }, lock.id);
  }
  draft.locks = [];
  draft.wakesEnvironment = !isPlanted('wake.lost_on_release');
}

export interface AttemptPlan {
  readonly purpose: AttemptPurpose;
  readonly subject: string;
  readonly timeoutMs: number;
  readonly gateRunId?: GateRunId;
  readonly fence?: Fence;
}

/** Writes the intent of one more attempt; it runs after the transaction has committed. */
export function openAttempt(draft: Draft, plan: AttemptPlan): Attempt {
  const { nowMs } = draft.context;
  const earlier = attemptsFor(draft, plan.purpose, plan.subject);
  const number = earlier.length + 1;
  const attempt: Attempt = {
    operationId: operationIdOf(draft.promotion.id, plan.purpose, plan.subject, String(number)),
    purpose: plan.purpose,
    subject: plan.subject,
    gateRunId: plan.gateRunId ?? null,
    number,
    fence: plan.fence ?? null,
    startedAtMs: nowMs,
    deadlineAtMs: nowMs + plan.timeoutMs,
    acknowledgedAtMs: null,
    workerId: null,
    result: null,
  };
  draft.attempts.push(attempt);
  draft.newAttempts.push(attempt);
  return attempt;
}

/** All attempts of that purpose and subject, oldest first. */
export function attemptsFor(draft: Draft, purpose: AttemptPurpose, subject: string): Attempt[] {
  return draft.attempts.filter((attempt) => attempt.purpose === purpose && attempt.subject === subject);
}

export function lastAttempt(draft: Draft, purpose: AttemptPurpose, subject: string): Attempt | null {
  return attemptsFor(draft, purpose, subject).at(-1) ?? null;
}

/** Records an outcome that was looked up or given up, for an attempt whose own answer will not come. */
export function settleAttempt(draft: Draft, attempt: Attempt, result: AttemptResult): void {
  draft.settledAttempts.push({ operationId: attempt.operationId, result });
  draft.attempts = draft.attempts.map((other) => (other === attempt ? { ...attempt, result } : other));
  addEvent(
    draft,
    'attempt.ended',
    {
      operationId: attempt.operationId,
      outcome: result.outcome,
      code: result.code,
      message: result.message,
    },
    attempt.subject,
  );
}
