/**
 * `orch locks release`: takes a lock from its promotion. The promotion fails with `lock.revoked` and without rollback,
 * its claim epoch is raised so that its worker commits nothing more (safety S3), and the environment is `unknown` until
 * it is observed again. The caller then seals every target with the guard's fence (safety S4).
 */
import { isPlanted } from '../../planted-bugs.ts';
import { AppError } from '../../errors/app-error.ts';
import { formatActor } from '../../identity/actor.ts';
import { authorize, type Principal } from '../../identity/authorize.ts';
import type { LockId } from '../../values/ids.ts';
import type { Decision } from '../decide/decision.ts';
import { addEvent, endPromotion, makeDraft, updatePromotion } from '../decide/draft.ts';
import { stateData } from '../decide/target-operations.ts';
import { withState } from '../scope.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { concludeCommand } from './command.ts';

export interface ReleaseLockInput {
  readonly lockId: LockId;
  readonly isForced: boolean;
  /** Nobody works for the holder. */
  readonly isStale: boolean;
  readonly reason: string;
}

/** Must be called with a guard. Errors: `auth.forbidden`, `lock.live_holder` without force, `lock.not_found`. */
export function releaseLock(
  snapshot: PromotionSnapshot,
  context: DecideContext,
  principal: Principal,
  input: ReleaseLockInput,
): Decision {
  const { promotion } = snapshot;
  authorize(principal, 'lock.release', { environment: promotion.environment, name: `lock ${input.lockId}` });
  if (!snapshot.locks.some((lock) => lock.id === input.lockId)) {
    throw new AppError('lock.not_found', { details: { name: input.lockId } });
  }
  if (!input.isForced && !input.isStale) {
    throw new AppError('lock.live_holder', { details: { lockId: input.lockId, promotionId: promotion.id } });
  }
  const draft = makeDraft(snapshot, context, principal.actor);
  const message = `lock ${input.lockId} was released by ${formatActor(principal.actor)}${input.reason ? `: ${input.reason}` : ''}`;
  const raised = isPlanted('force.claim_kept') ? 0 : 1;
  updatePromotion(draft, { claimEpoch: promotion.claimEpoch + raised, workerId: null });
  const changed = withState(draft.environment, snapshot.release, 'unknown');
  if (changed !== draft.environment) {
    draft.environment = changed;
    addEvent(draft, 'environment.state_changed', stateData(draft, 'unknown'), draft.environment.name);
  }
  endPromotion(draft, 'failed', { code: 'lock.revoked', message }, 'errored');
  return concludeCommand(draft);
}
