/**
 * Cancelling is accepted in every live status (safety L7). Before `deploy` nothing was changed, so it ends at once;
 * from `deploy` on the running operations end first, then `onFailure` applies.
 */
import { formatActor } from '../../identity/actor.ts';
import { STEPS } from '../status.ts';
import { type Draft, endPromotion } from './draft.ts';

export function isPastDeploy(draft: Draft): boolean {
  return STEPS.indexOf(draft.promotion.step) >= STEPS.indexOf('deploy');
}

export function decideCancel(draft: Draft): void {
  const { cancelRequestedAtMs, cancelRequestedBy } = draft.promotion;
  if (cancelRequestedAtMs === null || isPastDeploy(draft) || draft.needsGuard) return;
  const by = cancelRequestedBy ? formatActor(cancelRequestedBy) : 'somebody';
  endPromotion(draft, 'cancelled', { code: 'promotion.cancelled', message: `cancelled by ${by}` }, 'skipped');
}
