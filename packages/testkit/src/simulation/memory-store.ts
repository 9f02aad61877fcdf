/**
 * A store in memory that treats promotions as the PostgreSQL store does: claims and takeovers, the tick in one
 * transaction with the row held, the guard, commands, late outcomes (ports `engine-store` and `command-store`). It is
 * synchronous and takes the time as an argument, so that a simulation decides when everything happens.
 *
 * A transaction has two ends, `openTick` and `finish`: between them others may write to other rows, which is where
 * lost wake-ups and stale reads come from. `finish` itself is one piece, as the lock on the environment's row makes it.
 */
import type {
  AttemptResult,
  DecideContext,
  Decision,
  EnvironmentGuard,
  IdSource,
  PromotionId,
  PromotionSnapshot,
  Waiter,
  WorkerId,
} from '@stella/domain';
import { isTerminal } from '@stella/domain';
import { makeSeededIds } from '../seeded-ids.ts';
import { type MemoryState, readSnapshot, rowOf, type StoredPromotion } from './memory-state.ts';
import { insertDecision, writeDecision } from './memory-writes.ts';
import { freezeDeeply, insist, insistSame } from './safety-violation.ts';
import { mixSeeds } from './seeded-random.ts';

/** A holder for which nobody worked for so long is stale: longer than a takeover may last (safety L2). */
const STALE_AFTER_MS = 20_000;
/** A claim that is never ticked is due again then. */
const CLAIM_DUE_AFTER_MS = 60_000;

export interface MemoryClaim {
  readonly promotionId: PromotionId;
  readonly claimEpoch: number;
  readonly isTakeover: boolean;
}

export interface MemoryOutcome {
  readonly operationId: string;
  readonly result: Omit<AttemptResult, 'endedAtMs'>;
}

export type DecideRule = (snapshot: PromotionSnapshot, context: DecideContext, ended: readonly string[]) => Decision;

/** What one write did, for whoever checks it. */
export interface WriteRecord {
  readonly kind: 'created' | 'ticked' | 'commanded';
  /** What the rule saw; its promotion is the row before. Null for a new promotion. */
  readonly before: PromotionSnapshot | null;
  readonly context: Omit<DecideContext, 'ids'>;
  /** Outcomes that came with it. */
  readonly ended: readonly string[];
  readonly decision: Decision;
}

export interface OpenTick {
  /** Commits. */
  finish(nowMs: number): { readonly snapshot: PromotionSnapshot; readonly decision: Decision };
  /** Rolls back, as when the connection breaks. */
  abort(): void;
}

export interface MemoryStoreOptions {
  /** Decides the ids that are drawn. */
  readonly seed: number;
  /** Called after each write with what it did; throws when that must not be. */
  readonly onWrite: (record: WriteRecord) => void;
}

export interface MemoryStore {
  readonly state: MemoryState;
  /** Oldest due first; rows held by a transaction are skipped. */
  takeDueWork(
    workerId: WorkerId,
    limit: number,
    nowMs: number,
  ): { readonly claimed: readonly MemoryClaim[]; readonly owned: readonly PromotionId[] };
  /** Makes the worker's promotions due; false while one of them is held by a transaction. */
  buryWorker(id: WorkerId, nowMs: number): boolean;
  /** Gives claims back, but not those with an operation under way. False as for `buryWorker`. */
  retireWorker(id: WorkerId, nowMs: number): boolean;
  /** Null when the claim is lost: the outcomes are kept as late. */
  openTick(claim: MemoryClaim, outcomes: readonly MemoryOutcome[], rule: DecideRule, nowMs: number): OpenTick | null;
  /** A command on a promotion whose row nobody holds. Throws what the rule throws, after which nothing was written. */
  command(
    id: PromotionId,
    isGuarded: boolean,
    rule: (snapshot: PromotionSnapshot, context: DecideContext) => Decision,
    nowMs: number,
  ): Decision;
  /** Errors: `promotion.live_exists`. */
  insert(rule: (context: { nowMs: number; ids: IdSource }) => Decision, nowMs: number): Decision;
  isStale(id: PromotionId, nowMs: number): boolean;
}

interface Store extends MemoryStoreOptions {
  readonly state: MemoryState;
  drawnCount: number;
}

export function makeMemoryStore(state: MemoryState, options: MemoryStoreOptions): MemoryStore {
  const store: Store = { ...options, state, drawnCount: 0 };
  return {
    state,
    takeDueWork: (workerId, limit, nowMs) => takeDueWork(state, { workerId, limit, nowMs }),
    buryWorker: (id, nowMs) => buryWorker(state, id, nowMs),
    retireWorker: (id, nowMs) => retireWorker(state, id, nowMs),
    openTick: (claim, outcomes, rule, nowMs) => openTick(store, { claim, outcomes, rule, nowMs }),
    command: (id, isGuarded, rule, nowMs) => command(store, { id, isGuarded, rule, nowMs }),
    insert: (rule, nowMs) => {
      const decision = decidePurely(store, nowMs, (ids) => rule({ nowMs, ids }));
      insertDecision(state, decision, nowMs);
      const context = { nowMs, guard: null, isTakeover: false };
      store.onWrite({ kind: 'created', before: null, context, ended: [], decision });
      return decision;
    },
    isStale: (id, nowMs) => isStale(state, rowOf(state, id), nowMs),
  };
}

/** Asks the rule twice with the same ids: same input, same answer. Frozen input makes a rule that writes to it throw. */
function decidePurely(store: Store, nowMs: number, rule: (ids: IdSource) => Decision): Decision {
  store.drawnCount += 1;
  const seed = mixSeeds(store.seed, store.drawnCount);
  const decision = rule(makeSeededIds(seed, () => nowMs));
  const again = rule(makeSeededIds(seed, () => nowMs));
  insistSame('purity', again, decision, () => 'the second answer differs from the first');
  return decision;
}

interface TickOrder {
  readonly claim: MemoryClaim;
  readonly outcomes: readonly MemoryOutcome[];
  readonly rule: DecideRule;
  readonly nowMs: number;
}

function openTick(store: Store, { claim, outcomes, rule, nowMs }: TickOrder): OpenTick | null {
  const { state } = store;
  const row = rowOf(state, claim.promotionId);
  insist('store', !row.isLocked, () => `the row of ${claim.promotionId} is held by another transaction`);
  if (row.promotion.claimEpoch !== claim.claimEpoch || row.promotion.workerId === null) {
    for (const { operationId, result } of outcomes) {
      const isKept = state.lateOutcomes.some(
        (one) => one.operationId === operationId && one.outcome === result.outcome,
      );
      if (!isKept) state.lateOutcomes.push({ operationId, outcome: result.outcome });
    }
    return null;
  }
  row.isLocked = true;
  const { ended, undo } = recordOutcomes(row, outcomes, nowMs);
  const context = { nowMs, guard: null, isTakeover: claim.isTakeover };
  const snapshot = freezeDeeply(readSnapshot(state, claim.promotionId));
  const decision = decidePurely(store, nowMs, (ids) => rule(snapshot, { ...context, ids }, ended));
  return {
    finish: (finishMs) => {
      const final = decision.needsGuard
        ? decideGuarded(store, { snapshot, context: { ...context, nowMs: finishMs }, ended, rule })
        : { snapshot, decision, context };
      row.isLocked = false;
      writeDecision(state, final.decision, finishMs);
      store.onWrite({
        kind: 'ticked',
        before: final.snapshot,
        context: final.context,
        ended,
        decision: final.decision,
      });
      return { snapshot: final.snapshot, decision: final.decision };
    },
    abort: () => {
      undo();
      row.isLocked = false;
    },
  };
}

interface GuardedOrder {
  readonly snapshot: PromotionSnapshot;
  readonly context: Omit<DecideContext, 'ids'>;
  readonly ended: readonly string[];
  readonly rule: DecideRule;
}

/** Once more, with the environment's row locked and everything that others may have changed read again. */
function decideGuarded(
  store: Store,
  { snapshot: { promotion }, context, ended, rule }: GuardedOrder,
): { snapshot: PromotionSnapshot; decision: Decision; context: Omit<DecideContext, 'ids'> } {
  const guard = freezeDeeply(readGuard(store.state, promotion.id, context.nowMs));
  const fresh = freezeDeeply(readSnapshot(store.state, promotion.id));
  const guarded = { ...context, guard };
  const decision = decidePurely(store, context.nowMs, (ids) => rule(fresh, { ...guarded, ids }, ended));
  insist('store', !decision.needsGuard, () => `${promotion.id} asks for a guard that it has`);
  return { snapshot: fresh, decision, context: guarded };
}

/** The first outcome of an operation counts. Answers which were new, and how to take them back. */
function recordOutcomes(
  row: StoredPromotion,
  outcomes: readonly MemoryOutcome[],
  endedAtMs: number,
): { ended: readonly string[]; undo: () => void } {
  const fresh = outcomes.filter(({ operationId }) => row.attempts.get(operationId)?.result === null);
  const replaced = fresh.flatMap(({ operationId }) => row.attempts.get(operationId) ?? []);
  for (const { operationId, result } of fresh) {
    const attempt = row.attempts.get(operationId);
    if (attempt) row.attempts.set(operationId, freezeDeeply({ ...attempt, result: { ...result, endedAtMs } }));
  }
  return {
    ended: fresh.map((one) => one.operationId),
    undo: () => {
      for (const attempt of replaced) row.attempts.set(attempt.operationId, attempt);
    },
  };
}

/** Draws a ticket and a fence and says who holds and who waits, as of now. */
export function readGuard(state: MemoryState, id: PromotionId, nowMs: number): EnvironmentGuard {
  const { environment } = rowOf(state, id).promotion;
  state.lastTicket += 1;
  state.lastFence += 1;
  const held = [...state.locks.values()].find(
    (lock) =>
      lock.releasedAtMs === null &&
      lock.mode === 'exclusive' &&
      lock.resource === `environment:${environment}` &&
      lock.promotionId !== id,
  );
  const waiters = [...state.promotions.values()].flatMap(({ promotion: other }): Waiter[] => {
    const { ticket, priority } = other;
    const isWaiter = other.environment === environment && other.step === 'acquire_locks' && other.id !== id;
    return isWaiter && ticket !== null ? [{ promotionId: other.id, ticket, priority }] : [];
  });
  return {
    holder: held
      ? {
          lockId: held.id,
          promotionId: held.promotionId,
          isStale: isStale(state, rowOf(state, held.promotionId), nowMs),
        }
      : null,
    waiters,
    ticket: state.lastTicket,
    fence: { epoch: state.fenceEpoch, n: state.lastFence },
  };
}

function isStale(state: MemoryState, { promotion }: StoredPromotion, nowMs: number): boolean {
  if (isTerminal(promotion.status)) return true;
  const lateMs = nowMs - (promotion.nextActionAtMs ?? nowMs);
  if (promotion.workerId === null) return lateMs > STALE_AFTER_MS;
  const worker = state.workers.get(promotion.workerId);
  if (!worker) return true;
  return nowMs - worker.leaseUntilMs > STALE_AFTER_MS || (worker.state !== 'live' && lateMs > STALE_AFTER_MS);
}

interface CommandOrder {
  readonly id: PromotionId;
  readonly isGuarded: boolean;
  readonly rule: (snapshot: PromotionSnapshot, context: DecideContext) => Decision;
  readonly nowMs: number;
}

function command(store: Store, { id, isGuarded, rule, nowMs }: CommandOrder): Decision {
  const { state } = store;
  insist('store', !rowOf(state, id).isLocked, () => `the row of ${id} is held by another transaction`);
  const guard = isGuarded ? freezeDeeply(readGuard(state, id, nowMs)) : null;
  const before = freezeDeeply(readSnapshot(state, id));
  const context = { nowMs, guard, isTakeover: false };
  const decision = decidePurely(store, nowMs, (ids) => rule(before, { ...context, ids }));
  insist('store', !decision.needsGuard, () => `a command on ${id} needs a guard`);
  writeDecision(state, decision, nowMs);
  store.onWrite({ kind: 'commanded', before, context, ended: [], decision });
  return decision;
}

function takeDueWork(
  state: MemoryState,
  { workerId, limit, nowMs }: { workerId: WorkerId; limit: number; nowMs: number },
): { claimed: MemoryClaim[]; owned: PromotionId[] } {
  const due = [...state.promotions.values()]
    .filter(({ promotion }) => promotion.nextActionAtMs !== null && promotion.nextActionAtMs <= nowMs)
    .sort((a, b) => (a.promotion.nextActionAtMs ?? 0) - (b.promotion.nextActionAtMs ?? 0));
  const owned = due.filter((row) => row.promotion.workerId === workerId).map((row) => row.promotion.id);
  const free = due.filter(({ promotion, isLocked }) => {
    if (isLocked || promotion.workerId === workerId) return false;
    return promotion.workerId === null || state.workers.get(promotion.workerId)?.state !== 'live';
  });
  const claimed = free.slice(0, limit).map((row): MemoryClaim => {
    const { promotion } = row;
    const claimEpoch = promotion.claimEpoch + 1;
    row.promotion = freezeDeeply({
      ...promotion,
      workerId,
      claimEpoch,
      version: promotion.version + 1,
      nextActionAtMs: nowMs + CLAIM_DUE_AFTER_MS,
    });
    return { promotionId: promotion.id, claimEpoch, isTakeover: promotion.workerId !== null };
  });
  return { claimed, owned };
}

function claimsOf(state: MemoryState, id: WorkerId): StoredPromotion[] {
  return [...state.promotions.values()].filter((row) => row.promotion.workerId === id);
}

function buryWorker(state: MemoryState, id: WorkerId, nowMs: number): boolean {
  const worker = state.workers.get(id);
  const claims = claimsOf(state, id);
  if (!worker || claims.some((row) => row.isLocked)) return false;
  state.workers.set(id, { ...worker, state: 'dead' });
  for (const row of claims) {
    const { promotion } = row;
    if ((promotion.nextActionAtMs ?? 0) <= nowMs) continue;
    row.promotion = freezeDeeply({ ...promotion, nextActionAtMs: nowMs, version: promotion.version + 1 });
  }
  return true;
}

function retireWorker(state: MemoryState, id: WorkerId, nowMs: number): boolean {
  const worker = state.workers.get(id);
  const claims = claimsOf(state, id);
  if (!worker || claims.some((row) => row.isLocked)) return false;
  state.workers.set(id, { state: 'retired', leaseUntilMs: nowMs });
  for (const row of claims) {
    const { promotion } = row;
    const isUnderWay = [...row.attempts.values()].some(
      ({ fence, purpose, result }) =>
        fence !== null && result === null && (purpose === 'deploy' || purpose === 'rollback'),
    );
    row.promotion = freezeDeeply({
      ...promotion,
      workerId: isUnderWay ? promotion.workerId : null,
      nextActionAtMs: nowMs,
      version: promotion.version + 1,
    });
  }
  return true;
}
