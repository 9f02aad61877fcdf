/**
 * The memory store without waiting, for simulations and examples of the domain: the same transactions and statements as
 * behind the ports, called with the time as an argument, so that a simulation decides when everything happens.
 *
 * A tick has two ends, `openTick` and `finish`: between them others may write to other rows, which is where lost wake-ups
 * and stale reads come from. `finish` itself is one piece, as the lock on the environment's row makes it.
 */
import type { DecideContext, Decision, IdSource, PromotionId, PromotionSnapshot, WorkerId } from '@stella/domain';
import type { Claim, DecideCallback, DueWork, OutcomeRecord } from '@stella/server';
import { insertLateOutcomes, insertOutcomes } from '../memory/memory-outcomes.ts';
import { isStale, readGuard, readSnapshotIn } from '../memory/memory-reads.ts';
import type { WriteRecord } from '../memory/memory-session.ts';
import { isRowLocked, type MemoryState, promotionKey } from '../memory/memory-state.ts';
import { beginTransaction, committedView, type MemoryTransaction } from '../memory/memory-transaction.ts';
import { claimsOf, freeClaim, giveBack, markWorker, takeDueWork } from '../memory/memory-workers.ts';
import { insertDecision, writeDecision } from '../memory/memory-writes.ts';
import { makeSeededIds } from '../seeded-ids.ts';
import { freezeDeeply, insist, insistSame } from './safety-violation.ts';
import { mixSeeds } from './seeded-random.ts';

export type MemoryClaim = Claim;
export type MemoryOutcome = OutcomeRecord;
export type DecideRule = DecideCallback;

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
  takeDueWork(workerId: WorkerId, limit: number, nowMs: number): DueWork;
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
    takeDueWork: (workerId, limit, nowMs) => inOne(state, nowMs, (tx) => takeDueWork(tx, { workerId, limit })),
    buryWorker: (id, nowMs) => endWorker(state, id, nowMs, buryWorker),
    retireWorker: (id, nowMs) => endWorker(state, id, nowMs, retireWorker),
    openTick: (claim, outcomes, rule, nowMs) => openTick(store, { claim, outcomes, rule, nowMs }),
    command: (id, isGuarded, rule, nowMs) => command(store, { id, isGuarded, rule, nowMs }),
    insert: (rule, nowMs) => {
      const decision = decidePurely(store, nowMs, (ids) => rule({ nowMs, ids }));
      inOne(state, nowMs, (tx) => insertDecision(tx, decision));
      const context = { nowMs, guard: null, isTakeover: false };
      store.onWrite({ kind: 'created', before: null, context, ended: [], decision });
      return decision;
    },
    isStale: (id, nowMs) => isStale(committedView(state, nowMs), id),
  };
}

/** A whole transaction at once. */
function inOne<T>(state: MemoryState, nowMs: number, work: (tx: MemoryTransaction) => T): T {
  const tx = beginTransaction(state, nowMs);
  try {
    const result = work(tx);
    tx.commit();
    return result;
  } finally {
    tx.rollback();
  }
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
  const id = claim.promotionId;
  const tx = beginTransaction(state, nowMs);
  insist('store', tx.tryLock(promotionKey(id)), () => `the row of ${id} is held by another transaction`);
  const found = tx.get(state.promotions, id)?.promotion;
  if (found?.claimEpoch !== claim.claimEpoch || found.workerId === null) {
    insertLateOutcomes(tx, id, outcomes, nowMs);
    tx.commit();
    return null;
  }
  const { ended, unknownHoldings } = insertOutcomes(tx, id, outcomes, nowMs);
  const context = { nowMs, guard: null, isTakeover: claim.isTakeover, unknownHoldings };
  const snapshot = snapshotIn(tx, id);
  const decision = decidePurely(store, nowMs, (ids) => rule(snapshot, { ...context, ids }, ended));
  return {
    finish: (finishMs) => {
      const final = decision.needsGuard
        ? decideGuarded(store, tx, { snapshot, context: { ...context, nowMs: finishMs }, ended, rule })
        : { snapshot, decision, context };
      writeDecision(tx, final.decision, 'worker');
      tx.commit();
      store.onWrite({
        kind: 'ticked',
        before: final.snapshot,
        context: final.context,
        ended,
        decision: final.decision,
      });
      return { snapshot: final.snapshot, decision: final.decision };
    },
    abort: () => tx.rollback(),
  };
}

function snapshotIn(tx: MemoryTransaction, id: PromotionId): PromotionSnapshot {
  const snapshot = readSnapshotIn(tx, tx.state.settings, id);
  insist('store', snapshot !== null, () => `no promotion ${id}`);
  return freezeDeeply(snapshot);
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
  tx: MemoryTransaction,
  { snapshot: { promotion }, context, ended, rule }: GuardedOrder,
): { snapshot: PromotionSnapshot; decision: Decision; context: Omit<DecideContext, 'ids'> } {
  const guard = freezeDeeply(readGuard(committedView(store.state, context.nowMs), promotion));
  const fresh = snapshotIn(tx, promotion.id);
  const guarded = { ...context, guard };
  const decision = decidePurely(store, context.nowMs, (ids) => rule(fresh, { ...guarded, ids }, ended));
  insist('store', !decision.needsGuard, () => `${promotion.id} asks for a guard that it has`);
  return { snapshot: fresh, decision, context: guarded };
}

interface CommandOrder {
  readonly id: PromotionId;
  readonly isGuarded: boolean;
  readonly rule: (snapshot: PromotionSnapshot, context: DecideContext) => Decision;
  readonly nowMs: number;
}

function command(store: Store, { id, isGuarded, rule, nowMs }: CommandOrder): Decision {
  const { before, context, decision } = inOne(store.state, nowMs, (tx) => {
    insist('store', tx.tryLock(promotionKey(id)), () => `the row of ${id} is held by another transaction`);
    const seen = snapshotIn(tx, id);
    const guard = isGuarded ? freezeDeeply(readGuard(tx, seen.promotion)) : null;
    const asked = { nowMs, guard, isTakeover: false };
    const answer = decidePurely(store, nowMs, (ids) => rule(seen, { ...asked, ids }));
    insist('store', !answer.needsGuard, () => `a command on ${id} needs a guard`);
    writeDecision(tx, answer, 'person');
    return { before: seen, context: asked, decision: answer };
  });
  store.onWrite({ kind: 'commanded', before, context, ended: [], decision });
  return decision;
}

function endWorker(
  state: MemoryState,
  id: WorkerId,
  nowMs: number,
  end: (tx: MemoryTransaction, id: WorkerId, claims: readonly PromotionId[]) => void,
): boolean {
  const claims = claimsOf(committedView(state, nowMs), [id]);
  if (!state.workers.has(id) || claims.some((one) => isRowLocked(state, one))) return false;
  inOne(state, nowMs, (tx) => end(tx, id, claims));
  return true;
}

function buryWorker(tx: MemoryTransaction, id: WorkerId, claims: readonly PromotionId[]): void {
  markWorker(tx, id, { state: 'dead' });
  for (const claim of claims) freeClaim(tx, claim);
}

function retireWorker(tx: MemoryTransaction, id: WorkerId, claims: readonly PromotionId[]): void {
  markWorker(tx, id, { state: 'retired', leaseUntilMs: tx.beganMs });
  for (const claim of claims) giveBack(tx, claim, id);
}
