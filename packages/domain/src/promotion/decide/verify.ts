/**
 * Step 5: every target itself reports the promised digest and is healthy. The transaction that ends it sets the
 * environment's current release, completes the promotion and releases the locks.
 */
import { applyOnFailure } from './apply-on-failure.ts';
import { baseIdOf, withRelease } from '../scope.ts';
import { settleDebts } from './debts.ts';
import { addEvent, type Draft, endPromotion, requireGuard, stepRun } from './draft.ts';
import { isAsPromised, isPastDeadline, targetNames, wordsOf } from './target-operations.ts';
import { goThrough } from './target-round.ts';

export function decideVerify(draft: Draft): void {
  const { release } = draft.snapshot;
  const standing = goThrough(draft, {
    purpose: 'verify',
    targets: targetNames(draft),
    sinceMs: stepRun(draft, 'verify').startedAtMs ?? 0,
    isGood: (attempt) => isAsPromised(draft, release, attempt),
  });
  if (standing.state === 'open') return;
  if (draft.promotion.cancelRequestedAtMs !== null) {
    applyOnFailure(draft, { code: 'promotion.cancelled', message: 'cancelled during the verification' });
    return;
  }
  if (standing.state === 'good') {
    complete(draft, standing.attempts.length);
    return;
  }
  const code = isPastDeadline(draft) ? 'deploy.deadline' : 'verify.failed';
  applyOnFailure(draft, { code, message: wordsOf(standing.attempts) });
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
