/**
 * Step 0, no lock held: every target is probed and every artifact looked for, so that something broken is named before
 * anybody is asked to approve. With `precheck: required` it is repeated until it passes or its hold ends.
 */
import type { Attempt, AttemptPurpose } from '../promotion.ts';
import { targetsOf } from '../scope.ts';
import { beginGates } from './evaluate-gates.ts';
import {
  type Draft,
  endPromotion,
  lastAttempt,
  moveToStep,
  openAttempt,
  setStepWaiting,
  stepRun,
  wakeAt,
} from './draft.ts';
import { roomFor } from './target-round.ts';

interface Probe {
  readonly purpose: AttemptPurpose;
  readonly subject: string;
}

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
  const latest = probesOf(draft).map((probe) => ({ probe, attempt: lastAttempt(draft, probe.purpose, probe.subject) }));
  const attempts = latest.flatMap(({ attempt }) => (attempt ? [attempt] : []));
  const openCount = attempts.filter((attempt) => attempt.result === null).length;
  const missing = latest.filter(({ attempt }) => !attempt);
  for (const { probe } of missing.slice(0, roomFor(draft, openCount))) openProbe(draft, probe);
  if (missing.length > 0 || openCount > 0) return;

  const broken = attempts.filter((attempt) => attempt.result?.outcome !== 'succeeded');
  if (broken.length === 0) {
    passPrecheck(draft, 'every target and artifact answered');
    return;
  }
  const words = broken.map((attempt) => `${attempt.subject}: ${attempt.result?.message ?? ''}`).join('; ');
  if (draft.promotion.definition.precheck === 'warn') passPrecheck(draft, `went on with a warning: ${words}`);
  else holdPrecheck(draft, broken, words);
}

function passPrecheck(draft: Draft, message: string): void {
  moveToStep(draft, 'evaluate_gates', { state: 'succeeded', message });
  // Once more: whose row was held when this promotion was made has not heard of it.
  draft.wakesOlder = draft.promotion.definition.queue === 'latest';
  beginGates(draft);
}

function holdPrecheck(draft: Draft, broken: readonly Attempt[], words: string): void {
  const { nowMs } = draft.context;
  const { settings } = draft.snapshot;
  const startedAtMs = stepRun(draft, 'precheck').startedAtMs ?? draft.promotion.createdAtMs;
  const heldUntilMs = startedAtMs + settings['precheck.holdFor'];
  if (nowMs >= heldUntilMs) {
    endPromotion(draft, 'failed', { code: 'precheck.failed', message: words });
    return;
  }
  const lastEndMs = Math.max(...broken.map((attempt) => attempt.result?.endedAtMs ?? 0));
  const againAtMs = lastEndMs + settings['precheck.interval'];
  // A precheck repeated every second for days would fill the audit log: then only a person's retry probes again.
  const isFull = draft.promotion.chainLength >= settings['limits.promotionEvents'];
  if ((nowMs >= againAtMs && !isFull) || draft.promotion.retryRequestedAtMs !== null) {
    // Those that were looked at longest ago first; the others come with the next repetition.
    const byAge = [...broken].sort((a, b) => a.startedAtMs - b.startedAtMs);
    for (const attempt of byAge.slice(0, roomFor(draft, 0))) openProbe(draft, attempt);
    return;
  }
  setStepWaiting(draft, words);
  wakeAt(draft, isFull ? heldUntilMs : Math.min(againAtMs, heldUntilMs));
}

function openProbe(draft: Draft, { purpose, subject }: Probe): void {
  openAttempt(draft, { purpose, subject, timeoutMs: draft.snapshot.settings['probe.timeout'] });
}
