/** Workers and their claims, one function per statement of the PostgreSQL store (safety L1, L2, L8). */
import { isPlanted, type Actor, chainEvents, type PromotionId, toRfc3339, type WorkerId } from '@stella/domain';
import type { Claim, ClaimFailure, DueWork, OwnedScope } from '@stella/server';
import { demand } from './database-refusal.ts';
import { promotionKey, sessionKey, type StoredPromotion, type StoredWorker } from './memory-state.ts';
import type { MemoryTransaction, View } from './memory-transaction.ts';
import { checkChange, insertEvents } from './memory-writes.ts';

/** A claim that is never ticked is due again then. */
const CLAIM_DUE_AFTER_MS = 60_000;
/** From so many failed claims on a promotion is a suspect, and claimed one at a time. */
const SUSPECT_FAILURES = 2;
/** Owned and due ones in one answer. */
const OWNED_MAX = 1_000;
/** What was set aside is looked at again after so long without being asked. */
const LOOK_AGAIN_MS = 10 * 60_000;

export interface TakeOrder {
  readonly workerId: WorkerId;
  readonly limit: number;
  readonly owned?: OwnedScope | undefined;
  /** Among those that are due since the same moment. */
  readonly compareDue?: ((a: PromotionId, b: PromotionId) => number) | undefined;
}

/** Oldest due first; rows held by a transaction are skipped. */
export function takeDueWork(tx: MemoryTransaction, { workerId, limit, owned: scope, compareDue }: TakeOrder): DueWork {
  const nowMs = tx.beganMs;
  const { state } = tx;
  const untilMs = scope === 'all' ? Number.POSITIVE_INFINITY : nowMs;
  const listed = [...tx.rows(state.promotions)]
    .filter(({ promotion }) => promotion.nextActionAtMs !== null && promotion.nextActionAtMs <= untilMs)
    .sort((a, b) => {
      const earlierMs = (a.promotion.nextActionAtMs ?? 0) - (b.promotion.nextActionAtMs ?? 0);
      return earlierMs || (compareDue?.(a.promotion.id, b.promotion.id) ?? 0);
    });
  const owned = listed.filter((row) => row.promotion.workerId === workerId).slice(0, OWNED_MAX);
  const due = listed.filter(({ promotion }) => (promotion.nextActionAtMs ?? 0) <= nowMs);
  // One that was declared dead, and does not know it yet, gets nothing.
  const mayClaim = (tx.get(state.workers, workerId)?.state ?? 'live') === 'live';
  const free = mayClaim ? due.filter(({ promotion }) => isFree(tx, promotion.workerId)) : [];
  const isBusy = [...tx.rows(state.promotions)].some((row) => row.promotion.workerId === workerId && isSuspect(row));
  const taken = [
    ...lockSome(
      tx,
      free.filter((row) => !isSuspect(row)),
      limit,
    ),
    ...(isBusy ? [] : lockSome(tx, free.filter(isSuspect), Math.min(limit, 1))),
  ];
  const isKnown = taken.length === 0 || tx.get(state.workers, workerId) !== undefined;
  demand(isKnown, { sqlState: '23503', constraint: 'promotions_worker_id_fkey' }, () => `no worker ${workerId}`);
  return {
    claimed: taken.map((row) => claim(tx, row, workerId)),
    owned: owned.map(({ promotion, claimFailureCount }) => ({
      promotionId: promotion.id,
      claimEpoch: promotion.claimEpoch,
      isTakeover: true,
      failureCount: claimFailureCount,
    })),
  };
}

function isFree(tx: View, workerId: WorkerId | null): boolean {
  if (workerId === null || isPlanted('claim.of_live_worker')) return true;
  const state = tx.get(tx.state.workers, workerId)?.state;
  return state !== undefined && state !== 'live';
}

function isSuspect({ claimFailureCount }: StoredPromotion): boolean {
  return claimFailureCount >= SUSPECT_FAILURES;
}

function lockSome(tx: MemoryTransaction, rows: readonly StoredPromotion[], limit: number): StoredPromotion[] {
  const locked: StoredPromotion[] = [];
  for (const row of rows) {
    if (locked.length >= limit) break;
    if (tx.tryLock(promotionKey(row.promotion.id))) locked.push(row);
  }
  return locked;
}

function claim(tx: MemoryTransaction, row: StoredPromotion, workerId: WorkerId): Claim {
  const { promotion } = row;
  const claimEpoch = promotion.claimEpoch + 1;
  const failureCount = row.claimFailureCount + (promotion.workerId === null ? 0 : 1);
  const nextActionAtMs = tx.beganMs + CLAIM_DUE_AFTER_MS;
  change(tx, { ...row, claimFailureCount: failureCount }, { workerId, claimEpoch, nextActionAtMs });
  const isTakeover = promotion.workerId !== null || promotion.setAside !== null;
  return { promotionId: promotion.id, claimEpoch, isTakeover, failureCount };
}

/** A new version of the row with these fields. */
function change(tx: MemoryTransaction, row: StoredPromotion, fields: Partial<StoredPromotion['promotion']>): void {
  const { promotion } = row;
  const next = { ...promotion, ...fields, version: promotion.version + 1 };
  checkChange(promotion, next);
  tx.put(tx.state.promotions, promotion.id, { ...row, promotion: next });
}

/** Lease over, or the session gone while the postmaster is the same. */
export function isDead(view: View, worker: StoredWorker): boolean {
  if (worker.state !== 'live') return false;
  if (worker.leaseUntilMs < view.beganMs) return true;
  const { session } = worker;
  if (isPlanted('burial.by_lease_only')) return false;
  return session.postmasterStart === view.state.postmasterStart && view.state.goneSessions.has(sessionKey(session));
}

export function workerKey(id: WorkerId): string {
  return `worker ${id}`;
}

export function deadWorkers(view: View, workerId: WorkerId): WorkerId[] {
  const { workers } = view.state;
  const dead: WorkerId[] = [];
  for (const id of workers.keys()) {
    const worker = view.get(workers, id);
    if (id !== workerId && worker && isDead(view, worker)) dead.push(id);
  }
  return dead;
}

export function claimsOf(view: View, ids: readonly WorkerId[]): PromotionId[] {
  const claims: PromotionId[] = [];
  for (const { promotion } of view.rows(view.state.promotions)) {
    if (promotion.workerId !== null && ids.includes(promotion.workerId)) claims.push(promotion.id);
  }
  return claims;
}

export function markWorker(tx: MemoryTransaction, id: WorkerId, fields: Partial<StoredWorker>): void {
  const worker = tx.get(tx.state.workers, id);
  if (worker) tx.put(tx.state.workers, id, { ...worker, ...fields });
}

/** Due now, when it still belongs to a worker that is not live. */
export function freeClaim(tx: MemoryTransaction, id: PromotionId): void {
  const row = tx.get(tx.state.promotions, id);
  if (row && isLeftBehind(tx, row)) change(tx, row, { nextActionAtMs: tx.beganMs });
}

/** It sleeps, and its worker is not live. */
export function isLeftBehind(view: View, { promotion: { workerId, nextActionAtMs } }: StoredPromotion): boolean {
  const state = workerId === null ? undefined : view.get(view.state.workers, workerId)?.state;
  return state !== undefined && state !== 'live' && (nextActionAtMs ?? 0) > view.beganMs;
}

/** What has no operation under way goes back; the rest is left for a takeover, which looks its outcome up. */
export function giveBack(tx: MemoryTransaction, id: PromotionId, workerId: WorkerId): void {
  const row = tx.get(tx.state.promotions, id);
  if (row?.promotion.workerId !== workerId) return;
  const isUnderWay = [...row.attempts.values()].some(
    ({ fence, purpose, result }) =>
      fence !== null && result === null && (purpose === 'deploy' || purpose === 'rollback'),
  );
  change(tx, row, { workerId: isUnderWay ? workerId : null, nextActionAtMs: tx.beganMs });
}

export interface SetAsideOrder {
  readonly claim: Claim;
  readonly failure: ClaimFailure;
  readonly actor: Actor;
  readonly nowMs: number;
}

/** After its row was locked. False: another worker has it, or it ended. */
export function setAside(tx: MemoryTransaction, order: SetAsideOrder): (() => void) | null {
  const { claim: given, failure, actor, nowMs } = order;
  const row = tx.get(tx.state.promotions, given.promotionId);
  if (!row || row.promotion.endedAtMs !== null || row.promotion.claimEpoch !== given.claimEpoch) return null;
  const { promotion } = row;
  const nextActionAtMs = nowMs + LOOK_AGAIN_MS;
  const { message, count } = failure;
  const chained = chainEvents({ head: promotion.chainHead, length: promotion.chainLength }, [
    {
      type: 'promotion.set_aside',
      actor,
      atMs: nowMs,
      promotionId: promotion.id,
      subject: promotion.environment,
      data: { message, attempts: count, lookAgainAt: toRfc3339(nextActionAtMs) },
    },
  ]);
  insertEvents(tx, chained.events);
  return () =>
    change(
      tx,
      {
        ...row,
        events: [...row.events, ...chained.events],
        claimFailureCount: Math.min(row.claimFailureCount, count - 1),
      },
      {
        workerId: null,
        setAside: { atMs: nowMs, message },
        nextActionAtMs,
        chainHead: chained.position.head,
        chainLength: chained.position.length,
      },
    );
}
