/**
 * `orch locks release`: takes the lock in a transaction that draws a new fence, then seals every target of the
 * environment with it, so that whatever the old holder still does there is refused (safety S2, S4).
 */
import {
  AppError,
  type EnvironmentDefinition,
  type Fence,
  type IdSource,
  isTerminal,
  type LockId,
  type Principal,
  type PromotionId,
  releaseLock,
  type TargetDefinition,
  targetsOf,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { OpenTarget } from '../../ports/target.ts';
import { type CalledTargets, callTargets, lateWords } from './call-targets.ts';

export interface ReleasedLock {
  readonly promotionId: PromotionId;
  readonly definition: EnvironmentDefinition;
  /** Those that the holder may have been at work on. */
  readonly targets: readonly TargetDefinition[];
  readonly fence: Fence;
}

export interface LockOrder {
  readonly lockId: LockId;
  readonly isForced: boolean;
  readonly reason: string;
}

/** Errors: `lock.not_found`, `lock.live_holder`, `auth.forbidden`. */
export async function takeLock(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  principal: Principal,
  { lockId, isForced, reason }: LockOrder,
): Promise<ReleasedLock> {
  const holder = await tx.findLockHolder(lockId);
  const seen = holder ? await tx.lockPromotion(holder.promotionId) : null;
  if (!holder || !seen || isTerminal(seen.promotion.status)) {
    throw new AppError('lock.not_found', { details: { name: lockId } });
  }
  const { snapshot, guard } = await tx.guard(seen);
  const context = { nowMs: tx.nowMs, ids, guard, isTakeover: false };
  const order = { lockId, isForced, isStale: holder.isStale, reason };
  await tx.writeDecision(releaseLock(snapshot, context, principal, order));
  const { definition } = snapshot.promotion;
  const targets = targetsOf(snapshot.promotion, snapshot.release);
  return { promotionId: holder.promotionId, definition, targets, fence: guard.fence };
}

export interface SealReport {
  readonly target: string;
  readonly isSealed: boolean;
  readonly message: string;
}

/**
 * After the transaction has committed; repeating it with the same fence changes nothing. Ends after `wholeDeadlineMs` at the
 * latest, and answers for every target in their order.
 */
export function sealTargets(
  { openTarget, clock }: { openTarget: OpenTarget; clock: Clock },
  called: CalledTargets,
  fence: Fence,
): Promise<readonly SealReport[]> {
  return callTargets<SealReport>(clock, called, {
    ask: async (definition, call) => {
      const answer = await openTarget(definition, called.environment).seal(call, fence);
      if (answer.outcome === 'sealed') return { target: definition.name, isSealed: true, message: 'sealed' };
      const message = answer.outcome === 'refused' ? 'a newer fence is there already' : answer.message;
      return { target: definition.name, isSealed: answer.outcome === 'refused', message };
    },
    late: ({ name }, waitedMs) => ({ target: name, isSealed: false, message: lateWords(waitedMs) }),
  });
}
