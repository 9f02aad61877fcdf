/** `promotion create`, and `promotion retry` of an ended one: plans it and writes it with its first attempts. */
import {
  AppError,
  authorize,
  type IdSource,
  type Principal,
  planPromotion,
  type Priority,
  type PromotionId,
  type Release,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';

export interface PromotionWish {
  readonly release: Release;
  readonly environment: string;
  readonly priority: Priority;
  readonly retryOf: PromotionId | null;
}

/**
 * Errors: `auth.forbidden`, `environment.not_found`, `promotion.live_exists`, and those of `planPromotion`. Answers the
 * new promotion's id; a worker finds it by itself.
 */
export async function createPromotion(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  principal: Principal,
  wish: PromotionWish,
): Promise<PromotionId> {
  const { environment, release, priority, retryOf } = wish;
  authorize(principal, 'promotion.create', { environment, name: `a promotion to ${environment}` });
  if (priority === 'high') {
    authorize(principal, 'promotion.prioritize', { environment, name: `a promotion to ${environment}` });
  }
  const entry = await tx.readEntry(environment, release);
  if (!entry) throw new AppError('environment.not_found', { details: { name: environment } });
  const decision = planPromotion(
    {
      release,
      definition: entry.record.definition,
      environment: entry.status,
      base: entry.base,
      predecessors: entry.predecessors,
      priority,
      requestedBy: principal.actor,
      retryOf,
      settings: tx.settings,
    },
    { nowMs: tx.nowMs, ids },
  );
  await tx.insertPromotion(decision);
  return decision.promotion.id;
}
