/** What is a rollback: a promotion of that kind, or one whose failure was rolled back by itself. */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';

/** Throws `rollback.none`. */
export function refuseOthers({ id, kind, steps }: Answer<'getPromotion'>): void {
  const isRolledBack = steps.some((one) => one.step === 'rollback' && one.startedAt !== null);
  if (kind === 'rollback' || isRolledBack) return;
  throw new AppError('rollback.none', { details: { promotionId: id } });
}
