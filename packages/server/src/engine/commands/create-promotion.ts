/** `promotion create`, and `promotion retry` of an ended one: plans it and writes it with its first attempts. */
import {
  type Action,
  AppError,
  authorize,
  baseIdOf,
  type IdSource,
  type Principal,
  planPromotion,
  type Priority,
  type PromotionId,
  type PromotionKind,
  type Release,
  type ReleaseId,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';

export interface PromotionWish {
  readonly release: Release;
  readonly environment: string;
  readonly priority: Priority;
  readonly retryOf: PromotionId | null;
  /** Absent: `promote`. */
  readonly kind?: PromotionKind;
  /** Absent: not; of a deploy only. */
  readonly isForced?: boolean;
  readonly reason?: string;
  /** What the caller has seen there as its base; absent: whatever it is by now. */
  readonly seenBaseId?: ReleaseId | null;
}

/** The right that each kind takes; forcing a deploy takes another besides. */
const RIGHT_BY_KIND = {
  promote: 'promotion.create',
  rollback: 'promotion.rollback',
  deploy: 'promotion.deploy',
} as const satisfies Record<PromotionKind, Action>;

const WORDS_BY_KIND = { promote: 'a promotion to', rollback: 'a rollback of', deploy: 'a deploy to' } as const;

/**
 * Errors: `auth.forbidden`, `environment.not_found`, `promotion.live_exists`, `promotion.base_moved`, and those of `planPromotion`. Answers the
 * new promotion's id; a worker finds it by itself.
 */
export async function createPromotion(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  principal: Principal,
  wish: PromotionWish,
): Promise<PromotionId> {
  const { environment, release, priority, retryOf, kind = 'promote', isForced = false, reason = '' } = wish;
  authorizeWay(principal, environment, { kind, isForced });
  // Whoever may roll back does so before everybody else.
  if (priority === 'high' && kind !== 'rollback') {
    authorize(principal, 'promotion.prioritize', { environment, name: `a promotion to ${environment}` });
  }
  const entry = await tx.readEntry(environment, release, kind);
  if (!entry) throw new AppError('environment.not_found', { details: { name: environment } });
  const hasMoved = wish.seenBaseId !== undefined && wish.seenBaseId !== baseIdOf(entry.status, release);
  if (hasMoved) throw new AppError('promotion.base_moved', { details: { environment } });
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
      way: { kind, isForced, hasCompletedHere: entry.hasCompletedHere },
      reason,
      settings: tx.settings,
      breaks: entry.breaks,
    },
    { nowMs: tx.nowMs, ids },
  );
  await tx.insertPromotion(decision);
  return decision.promotion.id;
}

/** The right that a promotion of the kind takes; a forced deploy takes another besides. Throws `auth.forbidden`. */
export function authorizeWay(
  principal: Principal,
  environment: string,
  { kind, isForced }: { readonly kind: PromotionKind; readonly isForced: boolean },
): void {
  authorize(principal, RIGHT_BY_KIND[kind], { environment, name: `${WORDS_BY_KIND[kind]} ${environment}` });
  if (!isForced) return;
  authorize(principal, 'promotion.deploy_forced', { environment, name: `a forced deploy to ${environment}` });
}
