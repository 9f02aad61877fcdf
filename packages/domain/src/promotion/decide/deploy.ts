/**
 * Step 4: every target gets its operation, all at once. An unclear outcome is tried again with a new fence and a new
 * operation id; a clear no goes to `onFailure`.
 */
import { applyOnFailure } from './apply-on-failure.ts';
import { type Draft, moveToStep } from './draft.ts';
import { useSkips } from './skips.ts';
import { failStopped, isStopped, isUntouched, stepBackToLocks } from './stop.ts';
import { endedAttempts, isPastDeadline, openOperations, retryable, targetNames, wordsOf } from './target-operations.ts';
import { beginVerify } from './verify.ts';

export function beginDeploy(draft: Draft): void {
  useSkips(draft);
  openOperations(draft, 'deploy', targetNames(draft));
}

export function decideDeploy(draft: Draft): void {
  const attempts = endedAttempts(draft, 'deploy', targetNames(draft));
  if (!attempts) return;
  const bad = attempts.filter((attempt) => attempt.result?.outcome !== 'succeeded');
  if (bad.length > 0 && isStopped(draft)) {
    if (isUntouched(draft)) stepBackToLocks(draft);
    else failStopped(draft);
    return;
  }
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
