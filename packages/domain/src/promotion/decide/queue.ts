/** Whose turn it is: FIFO by ticket, higher priority first. */
import { isPlanted } from '../../planted-bugs.ts';
import type { LiveStatus } from '../status.ts';
import { priorityRank } from '../status.ts';
import type { LockHolder, Waiter } from '../snapshot.ts';
import type { Draft } from './draft.ts';
import { stepRun } from './draft.ts';
import { isStopped } from './stop.ts';

/**
 * Waiters that go before this promotion; all of them while it has no ticket yet. With `concurrency: per_component` only
 * those that want one of its components: they come one after another, the others at the same time.
 */
export function waitersAhead(draft: Draft, waiters: readonly Waiter[]): Waiter[] {
  const { environment, snapshot } = draft;
  const own = new Set(snapshot.release.components.map((component) => component.name));
  const isInTheWay = (waiter: Waiter): boolean =>
    environment.concurrency === 'exclusive' ||
    isPlanted('component.disjoint_waits') ||
    waiter.components.some((name) => own.has(name));
  return allAhead(draft, waiters.filter(isInTheWay));
}

/** Whatever they want of the environment. */
export function allAhead(draft: Draft, waiters: readonly Waiter[]): Waiter[] {
  const { ticket, priority } = draft.promotion;
  return waiters.filter((waiter) => {
    const rank = priorityRank(waiter.priority) - priorityRank(priority);
    return rank < 0 || (rank === 0 && (ticket === null || waiter.ticket < ticket) && !isPlanted('queue.newest_first'));
  });
}

/**
 * A live holder or an older ticket, after `locks.timeout`, is a matter of turn, and a quota that is used up is one at once; a
 * stale holder is not.
 */
export function queueStatus(draft: Draft): LiveStatus {
  const sinceMs = stepRun(draft, 'acquire_locks').startedAtMs ?? draft.context.nowMs;
  const isPatient = draft.context.nowMs - sinceMs >= draft.snapshot.settings['locks.timeout'];
  if (isStopped(draft)) return 'in_progress';
  const holder: LockHolder | null = draft.context.guard?.holder ?? null;
  if (draft.promotion.quotaWait !== null) return 'queued';
  if (!isPatient || holder?.isStale) return 'in_progress';
  return draft.promotion.ticket === null ? 'in_progress' : 'queued';
}
