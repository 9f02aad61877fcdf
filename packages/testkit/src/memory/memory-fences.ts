/** The fence of one environment in memory: what targets hold and the database does not know, and raising it. */
import {
  compareFences,
  isTerminal,
  type Lock,
  missingOf,
  type PromotionId,
  type TargetHolding,
  type UnknownHolding,
} from '@stella/domain';
import type { CommandTransaction } from '@stella/server';
import type { MemorySession } from './memory-session.ts';
import { environmentKey } from './memory-state.ts';
import type { MemoryTransaction, View } from './memory-transaction.ts';
import { wakeRows } from './memory-wakes.ts';

type FenceMethods = Pick<CommandTransaction, 'lockEnvironment' | 'drawFenceAbove' | 'writeRaisedFence'>;

export function fenceMethods(session: MemorySession, nowMs: number): FenceMethods {
  return {
    async lockEnvironment(name) {
      await session.statement('lockEnvironment', async (tx) => {
        if (tx.get(tx.state.environments, name)) await session.lock(environmentKey(name));
      });
      return session.statement('readEnvironment', (tx) => {
        const status = tx.get(tx.state.environments, name);
        return status ? { status, holder: holderOf(tx, name) } : null;
      });
    },
    drawFenceAbove: (held) =>
      session.statement('drawFence', ({ state }) => {
        state.lastFence += 1;
        const drawn = { epoch: state.fenceEpoch, n: state.lastFence };
        if (held === null || compareFences(drawn, held) > 0) return drawn;
        state.fenceEpoch = Math.max(state.fenceEpoch, held.epoch) + 1;
        return { epoch: state.fenceEpoch, n: drawn.n };
      }),
    writeRaisedFence: (status, floor) =>
      session.statement('writeRaisedFence', (tx) => {
        tx.put(tx.state.environments, status.name, status);
        tx.put(tx.state.fenceFloors, status.name, floor);
        wakeRows(tx, nowMs, ({ promotion }) => promotion.environment === status.name && promotion.workerId === null);
      }),
  };
}

function holderOf(view: View, environment: string): PromotionId | null {
  let first: Lock | null = null;
  for (const lock of view.rows(view.state.locks)) {
    const holder = view.get(view.state.promotions, lock.promotionId)?.promotion;
    const isLive = lock.releasedAtMs === null && lock.mode === 'exclusive' && holder && !isTerminal(holder.status);
    if (isLive && holder.environment === environment && (first === null || lock.id < first.id)) first = lock;
  }
  return first?.promotionId ?? null;
}

/** Null when the database knows all that the target of `environment` holds. */
export function unknownHoldingOf(
  tx: MemoryTransaction,
  environment: string,
  target: string,
  holds: TargetHolding | null | undefined,
): UnknownHolding | null {
  if (!holds) return null;
  const { state } = tx;
  const lacks = missingOf(holds, {
    drawn: { epoch: state.fenceEpoch, n: state.lastFence },
    floor: tx.get(state.fenceFloors, environment) ?? null,
    hasAttempt: (operationId, fence) => {
      for (const { attempts } of tx.rows(state.promotions)) {
        const known = attempts.get(operationId)?.fence;
        if (known) return compareFences(known, fence) === 0;
      }
      return false;
    },
  });
  return lacks ? { target, holds, lacks } : null;
}
