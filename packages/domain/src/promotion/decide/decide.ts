/**
 * The heart of the engine: a pure function from what is (snapshot, time) to what becomes of it (decision). It runs in
 * production, in tests and in simulations alike. One file per step holds that step's rule; this file runs them in turn
 * until nothing changes any more, derives the status, and chains the events.
 *
 * Guarantees: same input, same answer; a terminal promotion is never changed (safety S5); every live promotion is
 * answered with effects to run or a moment to look again (safety L1).
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { Actor } from '../../identity/actor.ts';
import type { Promotion } from '../promotion.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { isTerminal, type PromotionStatus, type Step } from '../status.ts';
import { decideAcquireLocks } from './acquire-locks.ts';
import { decideCancel } from './cancel.ts';
import { concludeDraft, runnableAttempts } from './conclude.ts';
import type { Decision } from './decision.ts';
import { decideDeploy } from './deploy.ts';
import { addEvent, type Draft, makeDraft, setStatus, updatePromotion } from './draft.ts';
import { decideEvaluateGates } from './evaluate-gates.ts';
import { decidePrecheck } from './precheck.ts';
import { decidePreflight } from './preflight.ts';
import { decideReplaced } from './replaced.ts';
import { decideRollback } from './rollback.ts';
import { deriveStatus } from './derive-status.ts';
import { decideSkips } from './skips.ts';
import { noteUnknownHoldings } from './stop.ts';
import { decideTakeover } from './takeover.ts';
import { decideVerify } from './verify.ts';

/** Steps that one call may pass through; more than all steps twice would be a circle in the rules. */
const STEP_CHANGES_MAX = 16;

/** After this long without any other reason a live promotion is looked at again: no wait is without end. */
const RECHECK_AFTER_MS = 60_000;

/** One that only sleeps with `queue: latest`: a newer one wakes it, unless its row was held at that moment. */
const REPLACED_RECHECK_MS = 10 * 60_000;

/** These wait for a person or for a time, whose act or whose moment wakes them: many of them cost nothing. */
const PATIENT: ReadonlySet<PromotionStatus> = new Set(['pending_approval', 'scheduled']);

const RULES: Readonly<Record<Step, (draft: Draft) => void>> = {
  precheck: decidePrecheck,
  evaluate_gates: decideEvaluateGates,
  acquire_locks: decideAcquireLocks,
  preflight: decidePreflight,
  deploy: decideDeploy,
  verify: decideVerify,
  rollback: decideRollback,
};

/** `ended` names the operations whose outcomes came with this call. `actor` is the worker that asks. */
export function decide(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  actor: Actor,
  ended: readonly string[] = [],
): Decision {
  const draft = makeDraft(snapshot, context, actor);
  if (!isTerminal(draft.promotion.status)) {
    noteEnded(draft, ended);
    noteUnknownHoldings(draft);
    decideTakeover(draft);
    decideCancel(draft);
    if (!isTerminal(draft.promotion.status)) decideReplaced(draft);
    decideSkips(draft);
    runRules(draft);
    // A gate may have passed, or come into another round: whoever asked to skip it asked for nothing any more.
    if (!isTerminal(draft.promotion.status)) decideSkips(draft);
    updatePromotion(draft, { retryRequestedAtMs: null });
    if (!isTerminal(draft.promotion.status)) setStatus(draft, deriveStatus(draft));
  }
  return concludeDraft(draft, nextAction(draft));
}

function runRules(draft: Draft): void {
  for (let count = 0; count < STEP_CHANGES_MAX; count += 1) {
    if (draft.needsGuard || isTerminal(draft.promotion.status)) return;
    const { step } = draft.promotion;
    RULES[step](draft);
    if (draft.promotion.step === step) return;
  }
}

function noteEnded(draft: Draft, ended: readonly string[]): void {
  for (const operationId of ended) {
    const attempt = draft.attempts.find((candidate) => candidate.operationId === operationId);
    if (!attempt?.result) continue;
    const { outcome, code, message } = attempt.result;
    addEvent(draft, 'attempt.ended', { operationId, outcome, code, message }, attempt.subject);
  }
}

/** How long somebody who waits for a person or a time may sleep without any other reason. */
function patienceOf({ promotion }: Draft): number {
  return promotion.definition.queue === 'latest' ? REPLACED_RECHECK_MS : Number.POSITIVE_INFINITY;
}

/** Work keeps the claim; a pure wait gives it back and names when to look again. */
function nextAction(draft: Draft): Pick<Promotion, 'workerId' | 'nextActionAtMs'> {
  if (isTerminal(draft.promotion.status)) return { workerId: null, nextActionAtMs: null };
  const effects = runnableAttempts(draft);
  const moments = [...draft.wakeAtsMs, ...effects.map((attempt) => attempt.deadlineAtMs)];
  const isPatient = PATIENT.has(draft.promotion.status) && moments.length > 0;
  const recheckMs = isPatient ? patienceOf(draft) : RECHECK_AFTER_MS;
  const next = Math.min(...moments, draft.context.nowMs + recheckMs);
  const lateMs = isPlanted('deadline.too_late') ? 50_000 : 0;
  return {
    workerId: effects.length > 0 ? draft.promotion.workerId : null,
    nextActionAtMs: Math.max(next, draft.context.nowMs + 1) + lateMs,
  };
}
