/** The words of a list's query → the filter that the store knows. */
import type { Query } from '@stella/contract';
import {
  AppError,
  nearestOf,
  parseDuration,
  PROMOTION_KINDS,
  PROMOTION_STATUSES,
  type Principal,
} from '@stella/domain';
import type { PromotionFilter, ReadStore } from '../ports/read-store.ts';

/** Errors: `input.invalid` (an unknown status or kind), `input.duration`, `environment.not_found`, `release.not_found`. */
export async function toPromotionFilter(
  reads: ReadStore,
  { bindings }: Principal,
  query: Query<'countPromotions'>,
): Promise<PromotionFilter> {
  if (query.environment !== undefined) await reads.readEnvironment(query.environment);
  return {
    statuses: query.status === undefined ? null : wordsAmong(PROMOTION_STATUSES, query.status, 'a status'),
    kinds: query.kind === undefined ? null : wordsAmong(PROMOTION_KINDS, query.kind, 'a kind of promotion'),
    environment: query.environment ?? null,
    releaseId: query.release === undefined ? null : (await reads.findRelease(query.release)).id,
    olderThanMs: query.olderThan === undefined ? null : parseDuration(query.olderThan),
    lastMs: query.last === undefined ? null : parseDuration(query.last),
    visible: bindings.map((binding) => binding.pattern),
  };
}

/** Separated by commas; each must be one of `known`. */
function wordsAmong<Word extends string>(known: readonly Word[], text: string, what: string): readonly Word[] {
  return text.split(',').map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    const nearest = nearestOf(word, known);
    const message = `"${word}" is not ${what}; known are ${known.join(', ')}`;
    throw new AppError('input.invalid', {
      details: { message, nearest },
      ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
    });
  });
}
