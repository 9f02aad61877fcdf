/** The words of a list's query → the filter that the store knows. */
import type { Query } from '@stella/contract';
import {
  AppError,
  nearestOf,
  parseDuration,
  PROMOTION_STATUSES,
  type PromotionStatus,
  type Principal,
} from '@stella/domain';
import type { PromotionFilter, ReadStore } from '../ports/read-store.ts';

/** Errors: `input.invalid` (an unknown status), `input.duration`, `environment.not_found`, `release.not_found`. */
export async function toPromotionFilter(
  reads: ReadStore,
  { bindings }: Principal,
  query: Query<'countPromotions'>,
): Promise<PromotionFilter> {
  if (query.environment !== undefined) await reads.readEnvironment(query.environment);
  return {
    statuses: query.status === undefined ? null : query.status.split(',').map(parseStatus),
    environment: query.environment ?? null,
    releaseId: query.release === undefined ? null : (await reads.findRelease(query.release)).id,
    olderThanMs: query.olderThan === undefined ? null : parseDuration(query.olderThan),
    lastMs: query.last === undefined ? null : parseDuration(query.last),
    visible: bindings.map((binding) => binding.pattern),
  };
}

function parseStatus(text: string): PromotionStatus {
  const known = PROMOTION_STATUSES.find((status) => status === text);
  if (known) return known;
  const nearest = nearestOf(text, PROMOTION_STATUSES);
  const message = `"${text}" is not a status; known are ${PROMOTION_STATUSES.join(', ')}`;
  throw new AppError('input.invalid', {
    details: { message, nearest },
    ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}
