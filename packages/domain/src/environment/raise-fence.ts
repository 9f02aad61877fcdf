/**
 * `orch fence raise`: from a fence above everything that the targets hold, the environment may be worked on again. What
 * it runs is unknown until the next verified promotion. Pure.
 */
import type { EventDraft } from '../audit/event.ts';
import { AppError } from '../errors/app-error.ts';
import type { Actor } from '../identity/actor.ts';
import { compareFences, type Fence, formatFence } from '../locks/fence.ts';
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import type { InstantMs } from '../values/instant.ts';
import { describeHolding, type TargetHolding } from './environment-stop.ts';

/** Epochs grow by one per replaced database or raise; a higher one was written by something else than Stella. */
const EPOCH_MAX = 1_000_000_000;

/** What one target answered, just before the raise. */
export interface SeenTarget {
  readonly target: string;
  /** Null: it never saw a fence. */
  readonly holds: TargetHolding | null;
}

/** The highest fence that any of them holds; null when none holds any. Errors: `fence.unreadable`. */
export function highestFence(seen: readonly SeenTarget[]): Fence | null {
  let highest: Fence | null = null;
  for (const { target, holds } of seen) {
    if (!holds) continue;
    if (holds.fence.epoch > EPOCH_MAX) {
      const message = `it holds fence ${formatFence(holds.fence)}, which no database of Stella draws`;
      throw new AppError('fence.unreadable', { details: { target, message } });
    }
    if (!highest || compareFences(holds.fence, highest) > 0) highest = holds.fence;
  }
  return highest;
}

export interface FenceRaise {
  readonly environment: EnvironmentStatus;
  readonly event: EventDraft;
}

/** `fence` is the one that was drawn for it, above `highestFence`. */
export function raiseFence(
  before: EnvironmentStatus,
  { fence, held, reason }: { readonly fence: Fence; readonly held: Fence | null; readonly reason: string },
  { actor, nowMs }: { readonly actor: Actor; readonly nowMs: InstantMs },
): FenceRaise {
  return {
    environment: {
      ...before,
      state: 'unknown',
      components: before.components.map((one) => ({ ...one, state: 'unknown' })),
      stop: null,
    },
    event: {
      type: 'fence.raised',
      actor,
      atMs: nowMs,
      promotionId: null,
      subject: before.name,
      data: {
        fence: formatFence(fence),
        held: held ? formatFence(held) : null,
        stopped: before.stop ? describeHolding(before.stop) : null,
        state: 'unknown',
        reason,
      },
    },
  };
}
