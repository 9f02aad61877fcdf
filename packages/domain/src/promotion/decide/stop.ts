/**
 * A target that holds what the database does not know stops its environment (`fence.behind`). Promotions there go on up
 * to their locks and wait without any; one that holds locks gives them back, so that none is held for as long as it takes
 * a person to look.
 */
import { describeStop } from '../../environment/environment-stop.ts';
import { formatFence } from '../../locks/fence.ts';
import { isPlanted } from '../../planted-bugs.ts';
import {
  addEvent,
  type Draft,
  endPromotion,
  moveToStep,
  releaseLocks,
  requireGuard,
  setStepWaiting,
  stepRun,
  updatePromotion,
  wakeAt,
} from './draft.ts';
import { markEnvironment } from './target-operations.ts';
import { whatRuns } from './what-runs.ts';

/** A waiter looks again this often, besides being woken by the cure. */
const STOP_RECHECK_MS = 15_000;

/** Takes down what came in with this call; the first one counts until it is cured. */
export function noteUnknownHoldings(draft: Draft): void {
  const [found] = draft.context.unknownHoldings ?? [];
  if (!found || draft.environment.stop !== null || isPlanted('fence.behind_ignored')) return;
  if (!requireGuard(draft)) return;
  draft.environment = { ...draft.environment, stop: { ...found, atMs: draft.context.nowMs } };
  // Whoever waits for a lock there says from now on what it really waits for.
  draft.wakesEnvironment = true;
  const { holds, lacks, target } = found;
  addEvent(
    draft,
    'environment.stopped',
    {
      code: 'fence.behind',
      target,
      lacks,
      fence: formatFence(holds.fence),
      operationId: holds.operation?.operationId ?? null,
      operationFence: holds.operation ? formatFence(holds.operation.fence) : null,
    },
    draft.environment.name,
  );
}

export function isStopped(draft: Draft): boolean {
  return draft.environment.stop !== null;
}

/** In `acquire_locks`, without locks: waits for the cure as long as for any lock. */
export function waitForCure(draft: Draft): void {
  const { nowMs } = draft.context;
  const message = stopMessage(draft);
  const sinceMs = stepRun(draft, 'acquire_locks').startedAtMs ?? nowMs;
  const endsAtMs = sinceMs + draft.snapshot.settings['queue.maxWait'];
  if (nowMs >= endsAtMs) {
    endPromotion(draft, 'failed', { code: 'fence.behind', message });
    return;
  }
  setStepWaiting(draft, message);
  wakeAt(draft, Math.min(endsAtMs, nowMs + STOP_RECHECK_MS));
}

/** Before anything was changed: the locks go back, and its place in the queue stays. */
export function stepBackToLocks(draft: Draft): void {
  const guard = requireGuard(draft);
  if (!guard) return;
  releaseLocks(draft, 'the environment is stopped');
  const ticket = draft.promotion.ticket ?? guard.ticket;
  updatePromotion(draft, { deployDeadlineAtMs: null, preflightRevision: null, ticket });
  moveToStep(draft, 'acquire_locks', { state: 'waiting', message: stopMessage(draft) });
}

/** A deploy that some targets may have taken: it cannot go on, nor back. */
export function failStopped(draft: Draft): void {
  markEnvironment(draft, 'mixed');
  const isCancelled = draft.promotion.cancelRequestedAtMs !== null;
  endPromotion(draft, isCancelled ? 'cancelled' : 'failed', {
    code: 'fence.behind',
    message: `${stopMessage(draft)}${whatRuns(draft)}`,
  });
}

/** Every target refused each of its operations, so that none of them was changed; and nobody wants it cancelled. */
export function isUntouched({ attempts, promotion }: Draft): boolean {
  const operations = attempts.filter((attempt) => attempt.purpose === 'deploy');
  const isRefused = operations.every((attempt) => attempt.result?.outcome === 'refused');
  return isRefused && promotion.cancelRequestedAtMs === null;
}

function stopMessage({ environment }: Draft): string {
  return environment.stop === null ? '' : describeStop(environment.name, environment.stop);
}
