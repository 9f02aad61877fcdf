/** Who lost the claim commits nothing (S3); an intent has one name, so that its outcome is found again (S17). */
import { operationIdOf } from '../promotion/promotion.ts';
import { type Found, type PromotionRule, unless } from './store-view.ts';

/** Of all outcomes of an operation one counts; every other is late. */
const first: PromotionRule = {
  name: 'S3.first',
  find: ({ attempts }) =>
    attempts.flatMap(({ operationId, outcomes }): Found[] => {
      const count = outcomes.filter((one) => !one.isLate).length;
      return count <= 1 ? [] : [{ subject: operationId, message: `has ${count} outcomes that count` }];
    }),
};

const claim: PromotionRule = {
  name: 'S3.claim',
  find: (record, view) => {
    const { workerId, claimEpoch, endedAtMs } = record.promotion;
    if (workerId === null) return [];
    const isClaim = claimEpoch > 0 && endedAtMs === null && view.workers.has(workerId);
    return unless(isClaim, record, `is claimed by ${workerId}, and nothing tells of that claim`);
  },
};

/** What a worker reports of an ended promotion is late. */
const afterEnd: PromotionRule = {
  name: 'S3.after_end',
  find: ({ promotion: { endedAtMs }, attempts }) => {
    if (endedAtMs === null) return [];
    return attempts
      .filter(
        ({ startedAtMs, outcomes }) =>
          startedAtMs > endedAtMs || outcomes.some((one) => !one.isLate && one.endedAtMs > endedAtMs),
      )
      .map(({ operationId }) => ({ subject: operationId, message: 'counts although its promotion had ended' }));
  },
};

const causes: PromotionRule = {
  name: 'S3.causes',
  find: ({ attempts }) =>
    attempts
      .filter(({ startedAtMs, outcomes }) => outcomes.some((one) => !one.isLate && one.endedAtMs < startedAtMs))
      .map(({ operationId }) => ({ subject: operationId, message: 'ended before it began' })),
};

const operation: PromotionRule = {
  name: 'S17.operation',
  find: ({ promotion: { id }, attempts }) =>
    attempts
      .filter((one) => one.operationId !== operationIdOf(id, one.purpose, one.subject, String(one.number)))
      .map(({ operationId }) => ({ subject: operationId, message: 'is not the name of its intent' })),
};

/** 1, 2, 3 … for each purpose and subject. */
const numbers: PromotionRule = {
  name: 'S17.numbers',
  find: (record) => {
    const highest = new Map<string, { count: number; number: number }>();
    for (const { purpose, subject, number } of record.attempts) {
      const known = highest.get(`${purpose} ${subject}`) ?? { count: 0, number: 0 };
      highest.set(`${purpose} ${subject}`, { count: known.count + 1, number: Math.max(known.number, number) });
    }
    const isWhole = [...highest.values()].every(({ count, number }) => count === number);
    return unless(isWhole, record, 'its attempts are not numbered one after another');
  },
};

export const OUTCOME_RULES: readonly PromotionRule[] = [first, claim, afterEnd, causes, operation, numbers];
