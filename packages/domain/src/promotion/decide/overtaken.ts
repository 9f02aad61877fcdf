/**
 * A newer release reached the environment meanwhile: an older one never overwrites it (safety S11). A rollback goes over the
 * release that it was asked to take away, and over no other; a deploy was asked for by digest, and is bound to its base
 * by its approvals only.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { baseIdOf, isOlderThanBase } from '../scope.ts';
import { type Draft, endPromotion } from './draft.ts';

export function isOvertaken(draft: Draft): boolean {
  const { promotion, environment, snapshot } = draft;
  if (promotion.kind === 'rollback') {
    const hasMoved = promotion.baseReleaseId !== baseIdOf(environment, snapshot.release);
    return hasMoved && !isPlanted('rollback.over_any_base');
  }
  return (
    promotion.kind !== 'deploy' &&
    isOlderThanBase(environment, snapshot.release) &&
    !isPlanted('release.older_over_newer')
  );
}

export function endOvertaken(draft: Draft): void {
  const newer = draft.snapshot.base?.name ?? `release ${draft.environment.releaseNumber}`;
  const message = `${newer} reached ${draft.promotion.environment} first`;
  endPromotion(draft, 'superseded', { code: 'promotion.overtaken', message }, 'skipped');
}
