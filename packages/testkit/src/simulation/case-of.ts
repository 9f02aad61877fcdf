/**
 * A promotion on the stage, as a diagnosis looks at it: real rows of the real rules, around which all is well unless the
 * test says otherwise.
 */
import {
  type Blocker,
  type DiagnosisSnapshot,
  isTerminal,
  type LinkedPromotion,
  priorityRank,
  type PromotionId,
  type WorkerFacts,
} from '@stella/domain';
import { isStale, readSnapshot } from '../memory/memory-reads.ts';
import type { MemoryState } from '../memory/memory-state.ts';
import { committedView } from '../memory/memory-transaction.ts';
import type { Stage } from './stage.ts';

const LEASE_MS = 15_000;

/** A free and fast database, workers that were heard of just now, nobody in the way. */
export function caseOf(stage: Stage, id: PromotionId, patch: Partial<DiagnosisSnapshot> = {}): DiagnosisSnapshot {
  const nowMs = stage.nowMs();
  const { state } = stage;
  const subject = linkOf(state, id, nowMs);
  return {
    nowMs,
    subject,
    others: linkedTo(state, subject, nowMs),
    workers: workersOf(state, nowMs),
    database: { isReadOnly: false, connectionCount: 5, connectionCountMax: 100, readMs: 2, blocks: [], disk: null },
    probes: [],
    gateCalls: [],
    approvers: [...state.persons].map(([personId, { subject: name, bindings }]) => ({
      personId,
      subject: name,
      bindings,
    })),
    server: { hostname: 'host-1', version: '1.0.0', clockAheadMs: 0 },
    ...patch,
  };
}

function workersOf(state: MemoryState, nowMs: number): WorkerFacts[] {
  return [...state.workers].map(([id, worker]) => ({
    id,
    hostname: 'host-1',
    version: '1.0.0',
    state: worker.state,
    heartbeatAtMs: worker.state === 'live' ? nowMs : worker.heartbeatAtMs,
    leaseUntilMs: worker.state === 'live' ? nowMs + LEASE_MS : worker.leaseUntilMs,
  }));
}

function linkOf(state: MemoryState, id: PromotionId, nowMs: number): LinkedPromotion {
  return { snapshot: readSnapshot(state, id), blockedBy: blockersOf(state, id, nowMs) };
}

function linkedTo(state: MemoryState, subject: LinkedPromotion, nowMs: number): LinkedPromotion[] {
  return subject.blockedBy.map(({ promotionId }) => linkOf(state, promotionId, nowMs));
}

/** The holder first, then those before it in the queue, in their order. */
function blockersOf(state: MemoryState, id: PromotionId, nowMs: number): Blocker[] {
  const { promotion } = readSnapshot(state, id);
  if (promotion.step !== 'acquire_locks' || isTerminal(promotion.status)) return [];
  const view = committedView(state, nowMs);
  const holders = [...state.locks.values()].flatMap((lock): Blocker[] => {
    const isOther = lock.releasedAtMs === null && lock.mode === 'exclusive' && lock.promotionId !== id;
    if (!isOther || lock.resource !== `environment:${promotion.environment}`) return [];
    const { promotionId, id: lockId, resource, acquiredAtMs } = lock;
    const { priority } = readSnapshot(state, promotionId).promotion;
    return [
      { promotionId, lock: { id: lockId, resource, acquiredAtMs }, isStale: isStale(view, promotionId), priority },
    ];
  });
  const waiters = [...state.promotions.values()].flatMap(({ promotion: other }) => {
    const isWaiting = other.step === 'acquire_locks' && !isTerminal(other.status) && other.ticket !== null;
    if (!isWaiting || other.id === id || other.environment !== promotion.environment) return [];
    const rank = priorityRank(other.priority) - priorityRank(promotion.priority);
    const isBefore = rank < 0 || (rank === 0 && (promotion.ticket === null || (other.ticket ?? 0) < promotion.ticket));
    return isBefore ? [{ rank, ticket: other.ticket ?? 0, id: other.id, priority: other.priority }] : [];
  });
  const ahead = waiters
    .sort((a, b) => a.rank - b.rank || a.ticket - b.ticket)
    .map((one): Blocker => ({ promotionId: one.id, lock: null, isStale: false, priority: one.priority }));
  return [...holders, ...ahead];
}
