/** `onFailure`: what becomes of an environment whose deploy or verification did not succeed. */
import type { Ending } from '../promotion.ts';
import { targetsOf } from '../scope.ts';
import { type Draft, endPromotion, moveToStep, requireGuard, updatePromotion } from './draft.ts';
import { beginRollback } from './rollback.ts';
import { failStopped, isStopped } from './stop.ts';
import { markEnvironment } from './target-operations.ts';

/**
 * What becomes of targets that were touched: `rollback` to the last completed release, or `hold`, which also stands in
 * when there is none. Used by deploy and verify.
 */
export function applyOnFailure(draft: Draft, ending: Ending): void {
  const { definition } = draft.promotion;
  if (isStopped(draft)) {
    failStopped(draft);
    return;
  }
  if (definition.onFailure === 'rollback' && hasWayBack(draft)) {
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

/** Something was verified here before; with several components, of each that was touched. */
function hasWayBack({ promotion, snapshot, environment }: Draft): boolean {
  const { base, release } = snapshot;
  if (base === null || environment.concurrency === 'exclusive') return base !== null;
  return targetsOf(promotion, release).every((target) => base.components.some((one) => one.name === target.component));
}
