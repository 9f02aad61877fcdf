/** Step 1, no lock held: all gates in parallel. Every gate waits with a deadline; a verdict is set once. */
import { isPlanted } from '../../planted-bugs.ts';
import type {
  ApprovalGateDefinition,
  AttemptGateDefinition,
  DependencyGateDefinition,
  GateDefinition,
  SoakGateDefinition,
} from '../../environment/environment-definition.ts';
import type { GateRun } from '../promotion.ts';
import { gatesOf } from '../gates-of.ts';
import { baseIdOf } from '../scope.ts';
import { countApprovals } from './approvals.ts';
import { voidApprovals, whyAskedAgain } from './rebase.ts';
import {
  addEvent,
  type Draft,
  endPromotion,
  lastAttempt,
  moveToStep,
  openAttempt,
  setStepWaiting,
  settleAttempt,
  updatePromotion,
  wakeAt,
} from './draft.ts';
import {
  currentGateRuns,
  definitionOf,
  isHeld,
  isSettled,
  openGateRun,
  setVerdict,
  updateGateRun,
} from './gate-runs.ts';
import { lookAtDependencies } from './dependencies.ts';
import { applySkips } from './skips.ts';
import { endOvertaken, isOvertaken } from './overtaken.ts';
import { lookAtSoak } from './soak.ts';
import { passWindow, watchWindows } from './windows.ts';
import { isTerminal } from '../status.ts';
import { formatDuration } from '../../values/duration.ts';
import { wordSetting } from '../../settings/settings.ts';

/** A soak whose predecessor does not run the release looks again this often: nobody wakes it from another environment. */
const SOAK_RECHECK_MS = 30_000;

/**
 * Completions elsewhere wake who waits for them, unless his row was held at that moment; what else changes there (a
 * promotion that ends otherwise, an environment that becomes whole again) wakes nobody.
 */
const DEPENDENCY_RECHECK_MS = 30_000;

/** Opens the first round: from here on the promotion is bound to what the environment runs now. */
export function beginGates(draft: Draft): void {
  // A rollback is bound to what it was asked to take away.
  if (draft.promotion.kind !== 'rollback') {
    updatePromotion(draft, { baseReleaseId: baseIdOf(draft.environment, draft.snapshot.release) });
  }
  for (const gate of gatesOf(draft.promotion)) openGateRun(draft, gate);
}

export function decideEvaluateGates(draft: Draft): void {
  if (isOvertaken(draft)) {
    endOvertaken(draft);
    return;
  }
  voidApprovals(draft);
  watchWindows(draft);
  applySkips(draft);
  for (const run of currentGateRuns(draft)) {
    const gate = definitionOf(draft, run);
    if (gate && !isSettled(run)) evaluate(draft, gate, run);
    if (isTerminal(draft.promotion.status)) return;
  }
  const open = currentGateRuns(draft).filter((run) => !isSettled(run));
  if (open.length > 0) {
    setStepWaiting(draft, `waits for ${open.map((run) => run.gate).join(', ')}`);
    return;
  }
  const isOptimistic = wordSetting(draft.snapshot.settings, 'locks.mode') === 'optimistic';
  moveToStep(draft, isOptimistic ? 'preflight' : 'acquire_locks', {
    state: 'succeeded',
    message: settledWords(draft),
  });
}

function settledWords(draft: Draft): string {
  const runs = currentGateRuns(draft);
  const skipped = runs.filter((run) => run.state === 'skipped').map((run) => run.gate);
  const passed = `${runs.length - skipped.length} gates passed`;
  return skipped.length === 0 ? passed : `${passed}, skipped: ${skipped.join(', ')}`;
}

function evaluate(draft: Draft, gate: GateDefinition, run: GateRun): void {
  switch (gate.kind) {
    case 'http':
    case 'command':
      evaluateAttempts(draft, gate, run);
      break;
    case 'approval':
      evaluateApproval(draft, gate, run);
      break;
    case 'soak':
      evaluateSoak(draft, gate, run);
      break;
    case 'dependency':
      evaluateDependency(draft, gate, run);
      break;
    case 'window':
      if (!passWindow(draft, gate, run)) waitUntilDeadline(draft, run);
      break;
  }
}

function evaluateAttempts(draft: Draft, gate: AttemptGateDefinition, run: GateRun): void {
  const { nowMs } = draft.context;
  giveUpCallback(draft, run);
  const attempt = run.attemptCount > 0 ? lastAttempt(draft, 'gate', run.gate) : null;
  if (attempt && attempt.result === null) return;
  if (attempt?.result && run.state === 'evaluating') {
    const { outcome, message } = attempt.result;
    if (outcome === 'passed' || isPlanted('gate.error_passes')) setVerdict(draft, run, 'passed', message);
    else if (outcome === 'failed') refuse(draft, run, message);
    else
      noteUnanswered(draft, gate, {
        run,
        outcome: outcome === 'timeout' ? 'timeout' : 'error',
        message,
        endedAtMs: attempt.result.endedAtMs,
      });
    return;
  }
  if (isHeld(run)) {
    decideHeld(draft, gate, run);
    return;
  }
  if (run.nextAttemptAtMs !== null && nowMs < run.nextAttemptAtMs && draft.promotion.retryRequestedAtMs === null) {
    wakeAt(draft, run.nextAttemptAtMs);
    return;
  }
  openGateAttempt(draft, gate, run);
}

/** The service has taken the question: until the attempt's deadline it may call back, and nobody waits for it but the row. */
function giveUpCallback(draft: Draft, run: GateRun): void {
  const attempt = lastAttempt(draft, 'gate', run.gate);
  if (!attempt || attempt.result !== null || attempt.acknowledgedAtMs === null) return;
  const { nowMs } = draft.context;
  if (nowMs < attempt.deadlineAtMs) {
    wakeAt(draft, attempt.deadlineAtMs);
    return;
  }
  settleAttempt(draft, attempt, {
    outcome: 'timeout',
    code: 'gate.no_callback',
    message: `took the question and did not call back within ${formatDuration(attempt.deadlineAtMs - attempt.startedAtMs)}`,
    output: '',
    digest: null,
    sealed: null,
    endedAtMs: nowMs,
  });
}

function openGateAttempt(draft: Draft, gate: AttemptGateDefinition, run: GateRun): void {
  openAttempt(draft, { purpose: 'gate', subject: run.gate, gateRunId: run.id, timeoutMs: gate.timeoutMs });
  updateGateRun(draft, run, {
    state: 'evaluating',
    attemptCount: run.attemptCount + 1,
    nextAttemptAtMs: null,
    heldUntilMs: null,
  });
}

interface Unanswered {
  readonly run: GateRun;
  readonly outcome: 'timeout' | 'error';
  readonly message: string;
  readonly endedAtMs: number;
}

/** No verdict: another attempt after the pause, or, after the last one, the hold in which people can act. */
function noteUnanswered(
  draft: Draft,
  gate: AttemptGateDefinition,
  { run, outcome, message, endedAtMs }: Unanswered,
): void {
  const attemptLimit = Math.max(run.attemptLimit, 1 + gate.retryCount);
  if (run.attemptCount < attemptLimit) {
    const nextAttemptAtMs = endedAtMs + gate.backoffMs * 2 ** Math.min(run.attemptCount - 1, 16);
    updateGateRun(draft, run, { state: 'waiting', attemptLimit, nextAttemptAtMs, message });
    wakeAt(draft, nextAttemptAtMs);
    return;
  }
  const heldUntilMs = draft.context.nowMs + draft.snapshot.settings['gates.holdFor'];
  const held = updateGateRun(draft, run, { state: outcome, heldUntilMs, nextAttemptAtMs: null, message });
  addEvent(draft, 'gate.held', { gate: run.gate, outcome, message, attempts: run.attemptCount }, run.gate);
  decideHeld(draft, gate, held);
}

function decideHeld(draft: Draft, gate: AttemptGateDefinition, run: GateRun): void {
  const heldUntilMs = run.heldUntilMs ?? draft.context.nowMs;
  if (draft.promotion.retryRequestedAtMs !== null || isRelaxed(draft, gate, run)) {
    const renewed = updateGateRun(draft, run, { attemptLimit: run.attemptCount + 1 + gate.retryCount });
    openGateAttempt(draft, gate, renewed);
    return;
  }
  if (draft.context.nowMs >= heldUntilMs && !isPlanted('gate.held_for_ever')) {
    const message = `gate ${run.gate} gave no verdict in ${run.attemptCount} attempts and its hold ended; last: ${run.message}`;
    endPromotion(draft, 'failed', { code: 'gate.hold_ended', message }, 'errored');
    return;
  }
  wakeAt(draft, heldUntilMs);
}

/** Somebody raised the gate's time-out or retries since its last attempt: it gets new attempts. */
function isRelaxed(draft: Draft, gate: AttemptGateDefinition, run: GateRun): boolean {
  const last = lastAttempt(draft, 'gate', run.gate);
  const wasTimeoutMs = last ? last.deadlineAtMs - last.startedAtMs : gate.timeoutMs;
  return gate.timeoutMs > wasTimeoutMs || 1 + gate.retryCount > run.attemptLimit;
}

/** A gate's verdict said no: the promotion ends `rejected`. */
function refuse(draft: Draft, run: GateRun, message: string): void {
  setVerdict(draft, run, 'failed', message);
  endPromotion(draft, 'rejected', { code: 'gate.failed', message: `gate ${run.gate} said no: ${message}` });
}

function evaluateApproval(draft: Draft, gate: ApprovalGateDefinition, run: GateRun): void {
  const rejection = draft.snapshot.approvals.find((one) => one.gateRunId === run.id && one.decision === 'rejected');
  if (rejection) {
    setVerdict(draft, run, 'failed', `${rejection.subject}: ${rejection.reason}`);
    const message = `${rejection.subject} rejected at gate ${run.gate}: ${rejection.reason}`;
    endPromotion(draft, 'rejected', { code: 'gate.rejected', message });
    return;
  }
  const count = countApprovals(draft.snapshot, gate, run.id);
  if (count >= gate.count) {
    setVerdict(draft, run, 'passed', `${count} of ${gate.count} approved`);
    return;
  }
  const message = `${count} of ${gate.count} approved${whyAskedAgain(draft, gate.name)}`;
  if (run.message !== message) updateGateRun(draft, run, { message });
  waitUntilDeadline(draft, run);
}

function evaluateSoak(draft: Draft, gate: SoakGateDefinition, run: GateRun): void {
  const { isOver, dueAtMs, message } = lookAtSoak(gate, draft.snapshot, draft.context.nowMs);
  if (isOver || (dueAtMs !== null && isPlanted('soak.not_waited'))) {
    setVerdict(draft, run, 'passed', message);
    return;
  }
  if (run.dueAtMs !== dueAtMs || run.message !== message) updateGateRun(draft, run, { dueAtMs, message });
  wakeAt(draft, dueAtMs ?? draft.context.nowMs + SOAK_RECHECK_MS);
  waitUntilDeadline(draft, run);
}

function evaluateDependency(draft: Draft, gate: DependencyGateDefinition, run: GateRun): void {
  const { isMet, message } = lookAtDependencies(gate, draft.snapshot);
  if (isMet || isPlanted('dependency.not_waited')) {
    setVerdict(draft, run, 'passed', message);
    return;
  }
  if (run.message !== message) updateGateRun(draft, run, { message });
  wakeAt(draft, draft.context.nowMs + DEPENDENCY_RECHECK_MS);
  waitUntilDeadline(draft, run);
}

function waitUntilDeadline(draft: Draft, run: GateRun): void {
  const deadlineAtMs = run.deadlineAtMs ?? draft.context.nowMs;
  if (draft.context.nowMs < deadlineAtMs) {
    wakeAt(draft, deadlineAtMs);
    return;
  }
  const message = `gate ${run.gate} was not settled before its deadline`;
  endPromotion(draft, 'failed', { code: 'gate.deadline', message });
}
