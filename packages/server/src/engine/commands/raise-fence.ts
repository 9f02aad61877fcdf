/**
 * `orch fence raise`: asks every target what it holds, raises the environment's fence above all of it in one transaction,
 * and seals the targets with it. A target that takes something newer meanwhile refuses the seal and stops the environment
 * again, so that the raise is never behind unseen.
 */
import {
  AppError,
  authorize,
  type Fence,
  highestFence,
  type Principal,
  raiseFence,
  type SeenTarget,
} from '@stella/domain';
import type { Clock } from '../../ports/clock.ts';
import type { CommandTransaction } from '../../ports/command-store.ts';
import type { OpenTarget } from '../../ports/target.ts';
import { type CalledTargets, callTargets, lateWords } from './call-targets.ts';

export interface RaiseDeps {
  readonly openTarget: OpenTarget;
  readonly clock: Clock;
}

/** Outside of any transaction. Errors: `fence.unreadable` for the first target that does not say. */
export function askTargets({ openTarget, clock }: RaiseDeps, called: CalledTargets): Promise<readonly SeenTarget[]> {
  const unreadable = (target: string, message: string): AppError =>
    new AppError('fence.unreadable', { details: { target, message } });
  return callTargets<SeenTarget>(clock, called, {
    ask: async (definition, call) => {
      const answer = await openTarget(definition, called.environment).probe(call);
      if (answer.outcome === 'ok') return { target: definition.name, holds: answer.holds };
      throw unreadable(definition.name, answer.message);
    },
    late: ({ name }, waitedMs) => {
      throw unreadable(name, lateWords(waitedMs));
    },
  });
}

export interface RaiseOrder {
  readonly environment: string;
  readonly seen: readonly SeenTarget[];
  readonly reason: string;
}

export interface RaisedFence {
  readonly fence: Fence;
  /** The highest that a target held; null: none held any. */
  readonly held: Fence | null;
  readonly wasStopped: boolean;
}

/** Errors: `auth.forbidden`, `environment.not_found`, `fence.busy`, `fence.unreadable`. */
export async function raiseEnvironmentFence(
  tx: CommandTransaction,
  principal: Principal,
  { environment, seen, reason }: RaiseOrder,
): Promise<RaisedFence> {
  authorize(principal, 'fence.raise', { environment, name: `the fence of ${environment}` });
  const locked = await tx.lockEnvironment(environment);
  if (!locked) throw new AppError('environment.not_found', { details: { name: environment } });
  const { status, holder } = locked;
  if (holder !== null) throw new AppError('fence.busy', { details: { promotionId: holder, environment } });
  const held = highestFence(seen);
  const fence = await tx.drawFenceAbove(held);
  const raised = raiseFence(status, { fence, held, reason }, { actor: principal.actor, nowMs: tx.nowMs });
  await tx.writeRaisedFence(raised.environment, fence);
  await tx.writeEvents([raised.event]);
  return { fence, held, wasStopped: status.stop !== null };
}
