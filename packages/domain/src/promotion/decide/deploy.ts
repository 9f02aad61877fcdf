/**
 * Step 4: every target gets its operation, all at once. An unclear outcome is tried again with a new fence and a new
 * operation id; a clear no goes to `onFailure`.
 */
import {
  addEvent,
  type Draft,
  endPromotion,
  lastAttempt,
  moveToStep,
  openAttempt,
  requireGuard,
  updatePromotion,
} from './draft.ts';
import { beginRollback } from './rollback.ts';
import { beginVerify } from './verify.ts';
import type { Attempt, AttemptPurpose, Ending } from '../promotion.ts';

/** Tries of one target's operation whose outcome stays unclear. */
export const OPERATION_ATTEMPTS_MAX = 3;

export function beginDeploy(draft: Draft): void {
  openOperations(draft, 'deploy', targetNames(draft));
}

export function targetNames(draft: Draft): string[] {
  return draft.promotion.definition.targets.map((target) => target.name);
}

/** Opens one operation per named target, with a fence drawn now. */
export function openOperations(draft: Draft, purpose: 'deploy' | 'rollback', targets: readonly string[]): void {
  const guard = requireGuard(draft);
  if (!guard) return;
  for (const subject of targets) {
    openAttempt(draft, { purpose, subject, fence: guard.fence, timeoutMs: remainingMs(draft) });
  }
}

/** Time left under the lock; at least 1 ms, so that an attempt can end by its own deadline. */
export function remainingMs(draft: Draft): number {
  const deadlineAtMs = draft.promotion.deployDeadlineAtMs ?? draft.context.nowMs;
  return Math.max(1, deadlineAtMs - draft.context.nowMs);
}

export function isPastDeadline(draft: Draft): boolean {
  return draft.context.nowMs >= (draft.promotion.deployDeadlineAtMs ?? Number.POSITIVE_INFINITY);
}

/** Latest attempts by target; null while one of them is still open. */
export function endedAttempts(draft: Draft, purpose: AttemptPurpose, targets: readonly string[]): Attempt[] | null {
  const attempts = targets.flatMap((target) => {
    const attempt = lastAttempt(draft, purpose, target);
    return attempt ? [attempt] : [];
  });
  return attempts.some((attempt) => attempt.result === null) ? null : attempts;
}

/** Those whose outcome is unclear and that may be tried again. */
export function retryable(draft: Draft, attempts: readonly Attempt[]): Attempt[] {
  if (isPastDeadline(draft) || draft.promotion.cancelRequestedAtMs !== null) return [];
  return attempts.filter(({ result, number }) => {
    const isUnclear = result?.outcome === 'error' || result?.outcome === 'timeout';
    return isUnclear && number < OPERATION_ATTEMPTS_MAX;
  });
}

export function decideDeploy(draft: Draft): void {
  const attempts = endedAttempts(draft, 'deploy', targetNames(draft));
  if (!attempts) return;
  const bad = attempts.filter((attempt) => attempt.result?.outcome !== 'succeeded');
  if (draft.promotion.cancelRequestedAtMs !== null) {
    applyOnFailure(draft, { code: 'promotion.cancelled', message: 'cancelled during the deploy' });
    return;
  }
  if (bad.length === 0) {
    moveToStep(draft, 'verify', { state: 'succeeded', message: `${attempts.length} targets deployed` });
    beginVerify(draft);
    return;
  }
  const again = retryable(draft, bad);
  if (again.length === bad.length) {
    openOperations(
      draft,
      'deploy',
      again.map((attempt) => attempt.subject),
    );
    return;
  }
  const code = isPastDeadline(draft) ? 'deploy.deadline' : 'deploy.failed';
  applyOnFailure(draft, { code, message: wordsOf(bad) });
}

export function wordsOf(attempts: readonly Attempt[]): string {
  return attempts.map((attempt) => `${attempt.subject}: ${attempt.result?.message ?? ''}`).join('; ');
}

/**
 * What becomes of targets that were touched: `rollback` to the last completed release, or `hold`, which also stands in
 * when there is none. Used by deploy and verify.
 */
export function applyOnFailure(draft: Draft, ending: Ending): void {
  const { definition } = draft.promotion;
  if (definition.onFailure === 'rollback' && draft.snapshot.base !== null) {
    if (!requireGuard(draft)) return;
    updatePromotion(draft, { ending, deployDeadlineAtMs: draft.context.nowMs + definition.deployDeadlineMs });
    moveToStep(draft, 'rollback', {
      state: ending.code === 'deploy.deadline' ? 'errored' : 'failed',
      message: ending.message,
    });
    beginRollback(draft);
    return;
  }
  markEnvironment(draft, 'mixed');
  const isCancelled = draft.promotion.cancelRequestedAtMs !== null;
  endPromotion(draft, isCancelled ? 'cancelled' : 'failed', ending);
}

export function markEnvironment(draft: Draft, state: 'mixed' | 'whole'): void {
  if (draft.environment.state === state || !requireGuard(draft)) return;
  draft.environment = { ...draft.environment, state };
  addEvent(draft, 'environment.state_changed', { state }, draft.environment.name);
}
