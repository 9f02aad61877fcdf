/**
 * When a skip counts, and what it does (safety S8): two distinct persons, neither of them the one who asked for the
 * promotion in the approver's place, the approver entitled now, before it expires, for this base, this definition and
 * this run of a gate that may be skipped. One predicate, asked by the gates' step and by `obstacles.ts`.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { isSkippable } from '../../environment/environment-definition.ts';
import { lookAtWindow } from '../../environment/window.ts';
import { personOf } from '../../identity/actor.ts';
import { isAllowed } from '../../identity/authorize.ts';
import type { GateRun } from '../promotion.ts';
import { isOpenSkip, type Skip } from '../skip.ts';
import { STEPS } from '../status.ts';
import { addEvent, type Draft, lapseSkip, settleAttempt, updateSkip, wakeAt } from './draft.ts';
import { currentGateRuns, definitionOf, isSettled, openNextRound, updateGateRun } from './gate-runs.ts';

/** The approved skip that counts for this run now; null when there is none. */
export function skipInEffect(draft: Draft, run: GateRun): Skip | null {
  const approved = draft.skips.filter(
    (skip) => skip.gateRunId === run.id && (skip.state === 'approved' || isPlanted('skip.only_requested')),
  );
  return approved.find((skip) => whyVoid(draft, skip) === null) ?? null;
}

/** Why a skip can count no more; null while it may. */
function whyVoid(draft: Draft, skip: Skip): string | null {
  const { promotion, context } = draft;
  const run = currentGateRuns(draft).find((one) => one.gate === skip.gate);
  if (!run || run.id !== skip.gateRunId) return 'the gate is in another round';
  const gate = definitionOf(draft, run);
  if (!gate || !isSkippable(gate)) return 'the gate may not be skipped';
  if (run.verdict !== null) return `the gate ${run.verdict}`;
  if (skip.baseReleaseId !== promotion.baseReleaseId) return 'the environment runs another release';
  if (skip.definitionHash !== promotion.definitionHash) return 'the definition is another one';
  if (skip.state !== 'approved') return null;
  const frozenAtMs = gate.kind === 'window' ? lookAtWindow(gate, draft.environment, context.nowMs).frozenAtMs : null;
  // Who approved had another reason in mind than the one that closes it now.
  if (frozenAtMs !== null && frozenAtMs > (skip.decidedAtMs ?? frozenAtMs)) return 'it was approved before the freeze';
  const isOver = skip.expiresAtMs === null || context.nowMs >= skip.expiresAtMs;
  if (isOver && !isPlanted('skip.for_ever')) return 'it expired';
  const isSecond =
    skip.decidedBy !== null &&
    skip.decidedBy !== skip.requestedBy &&
    skip.decidedBy !== personOf(promotion.requestedBy);
  if (!isSecond && !isPlanted('skip.of_one_person')) return 'no second person approved it';
  return isAllowed(skip.deciderBindingsNow, 'promotion.approve', promotion.environment)
    ? null
    : 'the person who approved it has lost the right';
}

/** Open skips that can count no more end; those that count are looked at again when they expire (safety L3). */
export function decideSkips(draft: Draft): void {
  if (STEPS.indexOf(draft.promotion.step) >= STEPS.indexOf('deploy')) return;
  for (const skip of draft.skips.filter(isOpenSkip)) {
    const why = whyVoid(draft, skip);
    if (why !== null) lapseSkip(draft, skip, why);
    else if (skip.expiresAtMs !== null) wakeAt(draft, skip.expiresAtMs);
  }
}

/**
 * Steps around every open gate whose skip counts, and opens those again whose skip no longer does. What was asked of a
 * skipped gate gets no answer that counts any more.
 */
export function applySkips(draft: Draft): void {
  for (const run of currentGateRuns(draft)) {
    const skip = skipInEffect(draft, run);
    if (run.state === 'skipped') {
      if (!skip) openNextRound(draft, run, 'skip_lapsed');
    } else if (skip && !isSettled(run) && !hasPassed(draft, run)) {
      stepAround(draft, run, skip);
    }
  }
}

/** Its answer came with this very call: a gate that passed needs no skip, and leaves no debt. */
function hasPassed(draft: Draft, run: GateRun): boolean {
  return draft.attempts.some((one) => one.gateRunId === run.id && one.result?.outcome === 'passed');
}

function stepAround(draft: Draft, run: GateRun, skip: Skip): void {
  const message = `skipped for ${skip.requesterSubject}, approved by ${skip.deciderSubject ?? ''}: ${skip.reason}`;
  updateGateRun(draft, run, {
    state: 'skipped',
    nextAttemptAtMs: null,
    heldUntilMs: null,
    dueAtMs: null,
    message,
  });
  addEvent(draft, 'gate.skipped', { gate: run.gate, round: run.round, skip: skip.id }, run.gate);
  for (const attempt of draft.attempts.filter((one) => one.gateRunId === run.id && one.result === null)) {
    settleAttempt(draft, attempt, {
      outcome: 'error',
      code: 'gate.skipped',
      message: 'the gate was skipped meanwhile',
      output: '',
      digest: null,
      sealed: null,
      endedAtMs: draft.context.nowMs,
    });
  }
}

/** In the transaction that writes the first deploy intents: what it relies on is used up. */
export function useSkips(draft: Draft): void {
  for (const run of currentGateRuns(draft).filter((one) => one.state === 'skipped')) {
    const skip = skipInEffect(draft, run);
    if (!skip) continue;
    updateSkip(draft, skip, { state: 'used', endedAtMs: draft.context.nowMs });
    addEvent(draft, 'skip.used', { skip: skip.id, gate: skip.gate }, skip.gate);
  }
}
