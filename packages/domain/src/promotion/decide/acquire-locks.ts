/**
 * Step 2: all locks in one transaction or none, in the order of the queue. Everything here needs the guard. What the
 * gates said is looked at again before the locks are taken, so that nobody is kept waiting for a promotion that has to
 * go back to its gates. With `locks.mode optimistic` only those come here that found the environment changed or held
 * after their preflight; they wait, and go on, as everybody does.
 */
import { formatDuration } from '../../values/duration.ts';
import {
  type Draft,
  endPromotion,
  moveToStep,
  requireGuard,
  setStepWaiting,
  stepRun,
  updatePromotion,
  wakeAt,
} from './draft.ts';
import { endOvertaken, isOvertaken } from './overtaken.ts';
import type { EnvironmentGuard } from '../snapshot.ts';
import { reopenGates } from './obstacles.ts';
import { beginPreflight } from './preflight.ts';
import { waitersAhead } from './queue.ts';
import { exhaustedQuota, type QuotaBlock, queueEndsAtMs } from './quotas.ts';
import { isItsTurn, takeLocks } from './take-locks.ts';
import { isStopped, waitForCure } from './stop.ts';

/** A waiter looks again this often, besides being woken when a lock is released: its holder may have turned stale. */
const QUEUE_RECHECK_MS = 15_000;

export function decideAcquireLocks(draft: Draft): void {
  const guard = requireGuard(draft);
  if (!guard) return;
  if (isOvertaken(draft)) {
    endOvertaken(draft);
    return;
  }
  if (reopenGates(draft)) return;
  if (draft.promotion.ticket === null) updatePromotion(draft, { ticket: guard.ticket });
  if (draft.promotion.quotaWait !== null) updatePromotion(draft, { quotaWait: null });
  if (isStopped(draft)) {
    waitForCure(draft);
    return;
  }
  const block = exhaustedQuota(draft, guard);
  if (block && !guard.holder?.isStale) {
    waitForQuota(draft, guard, block);
    return;
  }
  if (isItsTurn(draft, guard)) {
    const count = takeLocks(draft, guard);
    moveToStep(draft, 'preflight', { state: 'succeeded', message: `${count} locks taken` });
    beginPreflight(draft);
    return;
  }
  waitForTurn(
    draft,
    guard,
    guard.holder
      ? `lock ${guard.holder.lockId} of ${guard.holder.promotionId}`
      : `its turn behind ${waitersAhead(draft, guard.waiters).length} promotions`,
  );
}

/** Without a lock, in its place in the queue: until the quota is counted anew, somebody ends, or the limit is raised. */
function waitForQuota(draft: Draft, guard: EnvironmentGuard, { name, message, resetsAtMs }: QuotaBlock): void {
  updatePromotion(draft, { quotaWait: name });
  waitForTurn(draft, guard, message);
  if (resetsAtMs !== null) wakeAt(draft, resetsAtMs);
}

function waitForTurn(draft: Draft, guard: EnvironmentGuard, what: string): void {
  const { nowMs } = draft.context;
  const { settings } = draft.snapshot;
  const sinceMs = stepRun(draft, 'acquire_locks').startedAtMs ?? nowMs;
  const endsAtMs = queueEndsAtMs(sinceMs, settings, guard.quota);
  if (nowMs >= endsAtMs) {
    const message = `no lock within ${formatDuration(settings['queue.maxWait'])}: waited for ${what}`;
    endPromotion(draft, 'failed', { code: 'queue.max_wait', message });
    return;
  }
  setStepWaiting(draft, `waits for ${what}`);
  const patienceEndsAtMs = sinceMs + settings['locks.timeout'];
  if (nowMs < patienceEndsAtMs) wakeAt(draft, patienceEndsAtMs);
  wakeAt(draft, Math.min(endsAtMs, nowMs + QUEUE_RECHECK_MS));
}
