/**
 * Step 0, no lock held: every target is probed and every artifact looked for, so that something broken is named before
 * anybody is asked to approve. With `precheck: required` whatever is broken is asked again, in repetitions with a pause
 * between them, until all is well or the hold ends. One repetition asks each broken one once, `limits.targetsAtOnce` of
 * them at a time, and only when all of it has been asked are they named, together.
 */
import type { Attempt } from '../promotion.ts';
import { targetsOf } from '../scope.ts';
import { beginGates } from './evaluate-gates.ts';
import { type Draft, endPromotion, moveToStep, openAttempt, setStepWaiting, stepRun, wakeAt } from './draft.ts';
import { isBroken, latestOf, type Probe } from './probes.ts';
import { wordsOf } from './target-operations.ts';
import { roomFor } from './target-round.ts';

function probesOf(draft: Draft): Probe[] {
  return [
    ...targetsOf(draft.promotion, draft.snapshot.release).map((target) => ({
      purpose: 'precheck_target' as const,
      subject: target.name,
    })),
    ...draft.snapshot.release.components.map((one) => ({ purpose: 'precheck_artifact' as const, subject: one.name })),
  ];
}

export function decidePrecheck(draft: Draft): void {
  const { attempts, missing } = latestOf(draft, probesOf(draft));
  const openCount = attempts.filter((attempt) => attempt.result === null).length;
  if (missing.length > 0) {
    openProbes(draft, missing, openCount);
    return;
  }
  const broken = attempts.filter(isBroken);
  const due = leftOf(attempts, broken);
  if (due.length > 0 && !isHoldOver(draft) && !isFull(draft)) openProbes(draft, due, openCount);
  else if (openCount === 0) concludeRepetition(draft, broken, due);
}

/**
 * Those that the repetition under way has not come to: it gives each the next number. What a former one left broken is
 * in every later one, so the highest number is that of the last repetition, also when it found some of them mended.
 */
function leftOf(attempts: readonly Attempt[], broken: readonly Attempt[]): readonly Attempt[] {
  const repetition = attempts.reduce((highest, { number }) => Math.max(highest, number), 0);
  return broken.filter(({ number }) => number < repetition);
}

function concludeRepetition(draft: Draft, broken: readonly Attempt[], due: readonly Attempt[]): void {
  if (broken.length === 0) {
    passPrecheck(draft, 'every target and artifact answered');
    return;
  }
  const { precheck } = draft.promotion.definition;
  if (precheck === 'warn') passPrecheck(draft, `went on with a warning: ${wordsOf(broken)}`);
  else holdPrecheck(draft, broken, due.length > 0 ? due : broken);
}

function passPrecheck(draft: Draft, message: string): void {
  moveToStep(draft, 'evaluate_gates', { state: 'succeeded', message });
  // Once more: whose row was held when this promotion was made has not heard of it.
  draft.wakesOlder = draft.promotion.definition.queue === 'latest';
  beginGates(draft);
}

function holdPrecheck(draft: Draft, broken: readonly Attempt[], next: readonly Attempt[]): void {
  const { nowMs } = draft.context;
  const words = wordsOf(broken);
  if (isHoldOver(draft)) {
    endPromotion(draft, 'failed', { code: 'precheck.failed', message: words });
    return;
  }
  const lastEndMs = Math.max(...broken.map((attempt) => attempt.result?.endedAtMs ?? 0));
  const againAtMs = lastEndMs + draft.snapshot.settings['precheck.interval'];
  if ((nowMs >= againAtMs && !isFull(draft)) || draft.promotion.retryRequestedAtMs !== null) {
    openProbes(draft, next, 0);
    return;
  }
  setStepWaiting(draft, words);
  wakeAt(draft, isFull(draft) ? heldUntilMsOf(draft) : Math.min(againAtMs, heldUntilMsOf(draft)));
}

function heldUntilMsOf(draft: Draft): number {
  const startedAtMs = stepRun(draft, 'precheck').startedAtMs ?? draft.promotion.createdAtMs;
  return startedAtMs + draft.snapshot.settings['precheck.holdFor'];
}

function isHoldOver(draft: Draft): boolean {
  return draft.context.nowMs >= heldUntilMsOf(draft);
}

/** A precheck repeated every second for days would fill the audit log: then only a person's retry probes again. */
function isFull({ promotion, snapshot }: Draft): boolean {
  return promotion.chainLength >= snapshot.settings['limits.promotionEvents'];
}

function openProbes(draft: Draft, probes: readonly Probe[], openCount: number): void {
  const timeoutMs = draft.snapshot.settings['probe.timeout'];
  for (const { purpose, subject } of probes.slice(0, roomFor(draft, openCount))) {
    openAttempt(draft, { purpose, subject, timeoutMs });
  }
}
