/**
 * Step 2: all locks in one transaction or none, in the order of the queue. Everything here needs the guard. What the
 * gates said is looked at again before the locks are taken, so that nobody is kept waiting for a promotion that has to
 * go back to its gates.
 */
import type { LockMode } from '../promotion.ts';
import { formatDuration } from '../../values/duration.ts';
import {
  addEvent,
  type Draft,
  endPromotion,
  moveToStep,
  requireGuard,
  setStepWaiting,
  stepRun,
  updatePromotion,
  wakeAt,
} from './draft.ts';
import { endOvertaken, isOvertaken } from './evaluate-gates.ts';
import { reopenGates } from './obstacles.ts';
import { beginPreflight } from './preflight.ts';
import { waitersAhead } from './queue.ts';

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
  const ahead = waitersAhead(draft, guard.waiters);
  if (guard.holder === null && ahead.length === 0) {
    takeLocks(draft);
    return;
  }
  waitForTurn(
    draft,
    guard.holder
      ? `lock ${guard.holder.lockId} of ${guard.holder.promotionId}`
      : `its turn behind ${ahead.length} promotions`,
  );
}

function takeLocks(draft: Draft): void {
  const guard = requireGuard(draft);
  if (!guard) return;
  const { nowMs, ids } = draft.context;
  const resources: [string, LockMode][] = [
    [`environment:${draft.promotion.environment}`, 'exclusive'],
    ...[...new Set(draft.snapshot.release.components.map((component) => component.digest))].map(
      (digest): [string, LockMode] => [`artifact:${digest}`, 'shared'],
    ),
  ];
  for (const [resource, mode] of resources) {
    const lock = {
      id: ids.next('lck'),
      resource,
      mode,
      promotionId: draft.promotion.id,
      fence: guard.fence,
      acquiredAtMs: nowMs,
    };
    draft.locks.push(lock);
    draft.takenLocks.push(lock);
  }
  const first = draft.takenLocks[0];
  addEvent(
    draft,
    'lock.acquired',
    { resources: resources.map(([resource]) => resource), fence: { ...guard.fence } },
    first?.id,
  );
  moveToStep(draft, 'preflight', { state: 'succeeded', message: `${resources.length} locks taken` });
  beginPreflight(draft);
}

function waitForTurn(draft: Draft, what: string): void {
  const { nowMs } = draft.context;
  const { settings } = draft.snapshot;
  const sinceMs = stepRun(draft, 'acquire_locks').startedAtMs ?? nowMs;
  const endsAtMs = sinceMs + settings['queue.maxWait'];
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
