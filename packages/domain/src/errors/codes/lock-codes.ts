/** Error codes: locks, queue. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const LOCK_CODES = {
  'lock.revoked': entry(
    'Conflict',
    'the lock {lockId} was released by {actor}',
    'see what runs: stella orch artifacts list --env {environment}; then: stella promotion retry {promotionId}',
  ),
  'queue.max_wait': entry(
    'Unprocessable',
    'no lock within {maxWaitMs} ms',
    'see: stella orch locks list; then: stella promotion retry {promotionId}',
  ),
  'promotion.cancelled': entry(
    'Conflict',
    'promotion {promotionId} was cancelled',
    'start anew: stella promotion retry {promotionId}',
  ),
  'promotion.overtaken': entry(
    'Conflict',
    'a newer release {base} reached {environment} first',
    'nothing to do; the newer release is there',
  ),
  'promotion.components_missing': entry(
    'Conflict',
    'the environment {environment} wants all components at once now, and the release carries only some',
    'promote a release with all of them, or set concurrency: per_component again: stella apply',
  ),
  'promotion.replaced': entry(
    'Conflict',
    'a newer promotion {promotionId} to {environment} took its place',
    'nothing to do; to bring this release after all, make a promotion of it again',
  ),
} as const satisfies Record<string, ErrorEntry>;
