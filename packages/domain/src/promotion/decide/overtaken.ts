/** A newer release reached the environment meanwhile: an older one never overwrites it (safety S11). */
import { isPlanted } from '../../planted-bugs.ts';
import { isOlderThanBase } from '../scope.ts';
import { type Draft, endPromotion } from './draft.ts';

export function isOvertaken(draft: Draft): boolean {
  return isOlderThanBase(draft.environment, draft.snapshot.release) && !isPlanted('release.older_over_newer');
}

export function endOvertaken(draft: Draft): void {
  const newer = draft.snapshot.base?.name ?? `release ${draft.environment.releaseNumber}`;
  const message = `${newer} reached ${draft.promotion.environment} first`;
  endPromotion(draft, 'superseded', { code: 'promotion.overtaken', message }, 'skipped');
}
