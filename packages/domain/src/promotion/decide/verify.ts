/**
 * Step 5: every target itself reports the promised digest and is healthy. The transaction that ends it sets the
 * environment's current release, completes the promotion and releases the locks.
 */
import { applyOnFailure } from './apply-on-failure.ts';
import { baseIdOf, withRelease } from '../scope.ts';
import { settleDebts } from './debts.ts';
import { addEvent, type Draft, endPromotion, openAttempt, requireGuard } from './draft.ts';
import {
  endedAttempts,
  isAsPromised,
  isPastDeadline,
  remainingMs,
  retryable,
  targetNames,
  wordsOf,
} from './target-operations.ts';

export function beginVerify(draft: Draft): void {
  for (const subject of targetNames(draft))
    openAttempt(draft, { purpose: 'verify', subject, timeoutMs: remainingMs(draft) });
}

export function decideVerify(draft: Draft): void {
  const attempts = endedAttempts(draft, 'verify', targetNames(draft));
  if (!attempts) return;
  if (draft.promotion.cancelRequestedAtMs !== null) {
    applyOnFailure(draft, { code: 'promotion.cancelled', message: 'cancelled during the verification' });
    return;
  }
  const { release } = draft.snapshot;
  const bad = attempts.filter((attempt) => !isAsPromised(draft, release, attempt));
  if (bad.length === 0) {
    complete(draft, attempts.length);
    return;
  }
  const again = retryable(draft, bad);
  if (again.length === bad.length) {
    for (const { subject } of again) openAttempt(draft, { purpose: 'verify', subject, timeoutMs: remainingMs(draft) });
    return;
  }
  const code = isPastDeadline(draft) ? 'deploy.deadline' : 'verify.failed';
  applyOnFailure(draft, { code, message: wordsOf(bad) });
}

function complete(draft: Draft, targetCount: number): void {
  if (!requireGuard(draft)) return;
  const { release } = draft.snapshot;
  const { nowMs } = draft.context;
  const from = baseIdOf(draft.environment, release);
  draft.environment = withRelease(draft.environment, release, nowMs);
  addEvent(draft, 'environment.released', { from, to: release.id, targets: targetCount }, draft.environment.name);
  settleDebts(draft);
  endPromotion(draft, 'completed', null, 'succeeded');
}
