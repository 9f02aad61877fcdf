/** `onFailure`: what becomes of an environment whose deploy or verification did not succeed. */
import { partsFor } from '../../environment/target-components.ts';
import type { Ending } from '../promotion.ts';
import { type Draft, endPromotion, moveToStep, requireGuard, updatePromotion } from './draft.ts';
import { failStopped, isStopped } from './stop.ts';
import { markEnvironment, touchedTargets } from './target-operations.ts';
import { whatRuns } from './what-runs.ts';

/**
 * What becomes of targets that were touched: `rollback` to the last completed release, or `hold`, which also stands in
 * when there is none, and for a rollback: what it was to take away is not brought back. Used by deploy and verify.
 */
export function applyOnFailure(draft: Draft, ending: Ending): void {
  const { definition } = draft.promotion;
  if (isStopped(draft)) {
    failStopped(draft);
    return;
  }
  if (definition.onFailure === 'rollback' && draft.promotion.kind !== 'rollback' && hasWayBack(draft)) {
    if (!requireGuard(draft)) return;
    updatePromotion(draft, { ending, deployDeadlineAtMs: draft.context.nowMs + definition.deployDeadlineMs });
    moveToStep(draft, 'rollback', {
      state: ending.code === 'deploy.deadline' ? 'errored' : 'failed',
      message: ending.message,
    });
    return;
  }
  markEnvironment(draft, 'mixed');
  const isCancelled = draft.promotion.cancelRequestedAtMs !== null;
  const message = `${ending.message}${whatRuns(draft)}`;
  endPromotion(draft, isCancelled ? 'cancelled' : 'failed', { ...ending, message });
}

/** Something was verified here before; with several components, of each that was touched. */
function hasWayBack(draft: Draft): boolean {
  const { promotion, snapshot, environment } = draft;
  const { base } = snapshot;
  if (base === null || environment.concurrency === 'exclusive') return base !== null;
  const touched = touchedTargets(draft);
  return promotion.definition.targets
    .filter((target) => touched.includes(target.name))
    .every((target) => partsFor(target, base) !== null);
}
