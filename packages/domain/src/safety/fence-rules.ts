/** Fences strictly increase in the order in which they were drawn (S2); whatever changes a target carries one (S4). */
import { compareFences, type Fence, formatFence } from '../locks/fence.ts';
import { type Found, isOperation, type PromotionRule, type StoreView } from './store-view.ts';

/** Nothing carries a fence that this installation has not drawn yet. */
const drawn: PromotionRule = {
  name: 'S2.drawn',
  find: ({ promotion, attempts }, view) => {
    const carriers = [
      ...attempts.map(({ operationId: subject, fence }) => ({ subject, fence })),
      ...(view.locks.get(promotion.id) ?? []).map(({ id: subject, fence }) => ({ subject, fence })),
    ];
    return carriers.flatMap(({ subject, fence }): Found[] => {
      if (fence === null || isDrawn(fence, view)) return [];
      return [{ subject, message: `carries fence ${formatFence(fence)}, which was never drawn` }];
    });
  },
};

function isDrawn({ epoch, n }: Fence, { state: { installation } }: StoreView): boolean {
  return n > 0 && epoch > 0 && epoch <= installation.epoch && n <= installation.lastFenceNumber;
}

/** By fence, operations of one environment are in the order of their making. */
const order: PromotionRule = {
  name: 'S2.order',
  find: ({ promotion, attempts }, view) => {
    const all = view.operationsIn(promotion.environment);
    return attempts.flatMap((attempt): Found[] => {
      const { fence, startedAtMs, operationId } = attempt;
      if (fence === null || !isOperation(attempt)) return [];
      const before = all.findLast((one) => compareFences(one.fence, fence) < 0);
      if (!before || before.attempt.startedAtMs <= startedAtMs) return [];
      const message = `has fence ${formatFence(fence)}, and ${before.attempt.operationId} a lower one although it began later`;
      return [{ subject: operationId, message }];
    });
  },
};

/** Each attempt draws anew; only operations of one moment, at different targets, share a fence. */
const anew: PromotionRule = {
  name: 'S2.anew',
  find: ({ promotion, attempts }, view) => {
    const all = view.operationsIn(promotion.environment);
    return attempts.flatMap((attempt): Found[] => {
      const { fence, subject, operationId } = attempt;
      if (fence === null || !isOperation(attempt)) return [];
      const isTaken = all.some(
        (one) =>
          one.attempt.operationId !== operationId &&
          compareFences(one.fence, fence) === 0 &&
          (one.record.promotion.id !== promotion.id || one.attempt.subject === subject),
      );
      return isTaken
        ? [{ subject: operationId, message: `shares fence ${formatFence(fence)} with another operation` }]
        : [];
    });
  },
};

const fenced: PromotionRule = {
  name: 'S4.fenced',
  find: ({ attempts }) =>
    attempts
      .filter((one) => (one.fence !== null) !== (isOperation(one) || one.purpose === 'seal'))
      .map(({ operationId, purpose }) => ({
        subject: operationId,
        message: `is a ${purpose} with the wrong kind of guard`,
      })),
};

export const FENCE_RULES: readonly PromotionRule[] = [drawn, order, anew, fenced];
