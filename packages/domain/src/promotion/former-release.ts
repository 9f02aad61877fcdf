/**
 * What `rollback start` goes back to when nobody says it (ADR "What a rollback is"): the release that ran before the one
 * that runs. A release that was itself brought back by a rollback counts from when it first came: the second rollback goes
 * one further, and never forth to what the first one took away.
 */
import { isPlanted } from '../planted-bugs.ts';
import { AppError } from '../errors/app-error.ts';
import type { ReleaseId } from '../values/ids.ts';
import type { EnvironmentStatus } from './promotion.ts';
import type { PromotionKind } from './status.ts';

/** One that completed in the environment. */
export interface Completion {
  readonly releaseId: ReleaseId;
  readonly kind: PromotionKind;
}

/**
 * `completions`: of the environment, the latest first. Errors: `rollback.nothing_before`; `rollback.which` when its
 * components are of several releases.
 */
export function formerReleaseOf(environment: EnvironmentStatus, completions: readonly Completion[]): ReleaseId {
  const { name, releaseId, state, components } = environment;
  const isMany = new Set(components.flatMap((one) => one.releaseId ?? [])).size > 1;
  if (isMany) throw new AppError('rollback.which', { details: { environment: name } });
  if (releaseId === null) throw nothingBefore(name, 'nothing was ever verified there');
  // Some targets run something else: what was verified last is what is missing.
  if (state !== 'whole') return releaseId;
  const didCome = ({ kind }: Completion): boolean => kind !== 'rollback' || isPlanted('rollback.goes_forth');
  const came = completions.findIndex((one) => one.releaseId === releaseId && didCome(one));
  const former = came < 0 ? undefined : completions.slice(came + 1).find((one) => one.releaseId !== releaseId);
  if (!former) throw nothingBefore(name, 'the release that it runs is the first that completed there');
  return former.releaseId;
}

function nothingBefore(environment: string, why: string): AppError {
  return new AppError('rollback.nothing_before', { details: { environment, why } });
}
