/** The engine's port in memory: the same statements, locks and commits as `postgres-engine-store.ts`. */
import {
  isPlanted,
  chainEvents,
  type DecideContext,
  type Decision,
  type PromotionSnapshot,
  toRfc3339,
} from '@stella/domain';
import type { Claim, DecideCallback, EngineStore, OutcomeRecord, TickResult } from '@stella/server';
import { freezeDeeply } from '../simulation/safety-violation.ts';
import { insertLateOutcomes, insertOutcomes } from './memory-outcomes.ts';
import { readGuard, readSnapshotIn, settingsIn } from './memory-reads.ts';
import { autocommit, type MemoryConnections, type MemorySession, transact } from './memory-session.ts';
import { environmentKey, promotionKey } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';
import {
  claimsOf,
  deadWorkers,
  freeClaim,
  giveBack,
  isDead,
  isLeftBehind,
  markWorker,
  setAside,
  takeDueWork,
  workerKey,
} from './memory-workers.ts';
import { indexKeysOf, insertEvents, writeDecision } from './memory-writes.ts';
import { demand } from './database-refusal.ts';
import { payForTheDead } from './memory-wakes.ts';

/** Promotions whose events go in one call of retention. */
const PROMOTIONS_PER_PRUNE = 100;
/** Events stay for a day at least. */
const EVENTS_KEPT_MS_MIN = 86_400_000;

export function makeMemoryEngineStore(connections: MemoryConnections): EngineStore {
  return {
    registerWorker: (worker) =>
      autocommit(connections, 'registerWorker.insert', (tx) => {
        const isNew = tx.get(tx.state.workers, worker.id) === undefined;
        demand(isNew, { sqlState: '23505', constraint: 'workers_pkey' }, () => `worker ${worker.id} is there`);
        const leaseUntilMs = tx.beganMs + worker.leaseTtlMs;
        tx.put(tx.state.workers, worker.id, {
          state: 'live',
          leaseUntilMs,
          heartbeatAtMs: tx.beganMs,
          session: worker.session,
        });
      }),
    renewLease: (id, leaseTtlMs) =>
      autocommit(connections, 'renewLease.renew', async (tx, session) => {
        if (tx.get(tx.state.workers, id)?.state !== 'live') return false;
        await session.lock(workerKey(id));
        if (tx.get(tx.state.workers, id)?.state !== 'live') return false;
        markWorker(tx, id, { heartbeatAtMs: tx.beganMs, leaseUntilMs: tx.beganMs + leaseTtlMs });
        return true;
      }),
    retireWorker: (id) => transact(connections, 'retireWorker', (session) => retireWorker(session, id)),
    buryDeadWorkers: (id) => autocommit(connections, 'buryDeadWorkers.bury', (tx) => buryWorkers(tx, id)),
    takeDueWork: (id, limit, owned) =>
      autocommit(connections, 'takeDueWork.take', (tx) =>
        takeDueWork(tx, { workerId: id, limit, owned, compareDue: connections.compareDue }),
      ),
    tick: (claim, outcomes, decide) => tick(connections, { claim, outcomes, decide }),
    setAside: (claim, failure, actor) =>
      transact(connections, 'setAside', async (session) => {
        const order = await session.statement('lock', async (tx, nowMs) => {
          await session.lock(promotionKey(claim.promotionId));
          return {
            claim,
            failure,
            actor,
            nowMs: tx.get(tx.state.promotions, claim.promotionId) ? connections.nowMs() : nowMs,
          };
        });
        const write = await session.statement('events', (tx) => setAside(tx, order));
        if (!write) return false;
        await session.statement('write', write);
        return true;
      }),
    prune: (limit) => prune(connections, limit),
  };
}

interface TickInput {
  readonly claim: Claim;
  readonly outcomes: readonly OutcomeRecord[];
  readonly decide: DecideCallback;
}

/** Thrown inside the transaction, so that nothing of it stays. */
class ClaimLost extends Error {}

async function tick(connections: MemoryConnections, input: TickInput): Promise<TickResult> {
  try {
    return await transact(connections, 'tick', (session) => tickInside(connections, session, input));
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    await transact(connections, 'tickLate', async (session) => {
      if (input.outcomes.length === 0) return;
      await session.statement('insert', (tx, nowMs) =>
        insertLateOutcomes(tx, input.claim.promotionId, input.outcomes, nowMs),
      );
    });
    return { kind: 'claim_lost' };
  }
}

async function tickInside(
  connections: MemoryConnections,
  session: MemorySession,
  { claim, outcomes, decide }: TickInput,
): Promise<TickResult> {
  const id = claim.promotionId;
  const isOurs = await session.statement('lock', async (tx) => {
    if (!tx.get(tx.state.promotions, id)) return false;
    await session.lock(promotionKey(id));
    const promotion = tx.get(tx.state.promotions, id)?.promotion;
    const workerId = promotion?.workerId ?? null;
    const isLive = workerId !== null && tx.get(tx.state.workers, workerId)?.state === 'live';
    return (isLive && promotion?.claimEpoch === claim.claimEpoch) || isPlanted('claim.no_epoch_check');
  });
  if (!isOurs) throw new ClaimLost();
  const { ended, unknownHoldings } =
    outcomes.length === 0
      ? { ended: [], unknownHoldings: [] }
      : await session.statement('outcomes', (tx, nowMs) => insertOutcomes(tx, id, outcomes, nowMs));
  const late = outcomes.filter(({ operationId }) => !ended.includes(operationId));
  if (late.some(({ result }) => result.outcome !== 'acknowledged')) {
    await session.statement('late', (tx, nowMs) => insertLateOutcomes(tx, id, late, nowMs));
  }
  const { snapshot, nowMs } = await session.statement('read', (tx, readAtMs) => ({
    snapshot: readOwn(connections, tx, id),
    nowMs: readAtMs,
  }));
  const context: DecideContext = {
    nowMs,
    ids: connections.ids,
    guard: null,
    isTakeover: claim.isTakeover,
    ...(unknownHoldings.length > 0 ? { unknownHoldings } : {}),
  };
  const decided = decide(snapshot, context, ended);
  const final = decided.needsGuard
    ? await decideGuarded(connections, session, { snapshot, context, ended, decide })
    : { snapshot, decision: decided, context };
  await writeOn(session, final.decision, 'worker');
  const { ids: _theirs, ...seen } = final.context;
  session.writes.push({ kind: 'ticked', before: final.snapshot, context: seen, ended, decision: final.decision });
  return { kind: 'written', snapshot: final.snapshot, decision: final.decision };
}

/** Of a promotion whose row is held, so that it is there. */
function readOwn(
  { settings, state }: MemoryConnections,
  tx: MemoryTransaction,
  id: Claim['promotionId'],
): PromotionSnapshot {
  const snapshot = readSnapshotIn(tx, settings, id);
  if (!snapshot) throw new ClaimLost();
  return state.isFrozen ? freezeDeeply(snapshot) : snapshot;
}

interface GuardedInput {
  readonly snapshot: PromotionSnapshot;
  readonly context: DecideContext;
  readonly ended: readonly string[];
  readonly decide: DecideCallback;
}

/** Once more, with the environment's row locked and everything that others may have changed read again. */
async function decideGuarded(
  connections: MemoryConnections,
  session: MemorySession,
  { snapshot, context, ended, decide }: GuardedInput,
): Promise<{ snapshot: PromotionSnapshot; decision: Decision; context: DecideContext }> {
  const { promotion } = snapshot;
  await session.statement('environment', () => session.lock(environmentKey(promotion.environment)));
  const { guard, nowMs } = await session.statement('guard', (tx, readAtMs) => ({
    guard: readGuard(tx, promotion),
    nowMs: readAtMs,
  }));
  const fresh = await session.statement('reread', (tx) => readOwn(connections, tx, promotion.id));
  const guarded: DecideContext = { ...context, nowMs, guard };
  return { snapshot: fresh, decision: decide(fresh, guarded, ended), context: guarded };
}

/** The one statement that writes a decision. */
export async function writeOn(session: MemorySession, decision: Decision, by: 'person' | 'worker'): Promise<void> {
  await session.statement('write', async (tx) => {
    for (const key of indexKeysOf(tx, decision)) await session.lock(key);
    writeDecision(tx, decision, by);
  });
}

async function retireWorker(session: MemorySession, id: Parameters<EngineStore['retireWorker']>[0]): Promise<void> {
  await session.statement('retire', async (tx) => {
    if (tx.get(tx.state.workers, id)?.state !== 'live') return;
    await session.lock(workerKey(id));
    if (tx.get(tx.state.workers, id)?.state !== 'live') return;
    markWorker(tx, id, { state: 'retired', leaseUntilMs: tx.beganMs });
  });
  await session.statement('giveBack', async (tx) => {
    for (const promotionId of claimsOf(tx, [id])) {
      await session.lock(promotionKey(promotionId));
      giveBack(tx, promotionId, id);
    }
  });
}

/** Whose row is held is found by the next look. */
function buryWorkers(
  tx: MemoryTransaction,
  id: Parameters<EngineStore['buryDeadWorkers']>[0],
): Awaited<ReturnType<EngineStore['buryDeadWorkers']>> {
  const suspected = deadWorkers(tx, id);
  const asleep = [...tx.rows(tx.state.promotions)];
  const dead: typeof suspected = [];
  for (const one of suspected) {
    if (!tx.tryLock(workerKey(one))) continue;
    const worker = tx.get(tx.state.workers, one);
    if (!worker || !isDead(tx, worker)) continue;
    markWorker(tx, one, { state: 'dead' });
    dead.push(one);
  }
  // What it had, also what it claimed or wrote at the very moment of its burial.
  for (const row of asleep) {
    const { id: promotionId } = row.promotion;
    if (isLeftBehind(tx, row) && tx.tryLock(promotionKey(promotionId))) freeClaim(tx, promotionId);
  }
  payForTheDead(tx);
  return dead;
}

async function prune(connections: MemoryConnections, limit: number): Promise<void> {
  const { settings, nowMs } = await autocommit(connections, 'prune.read', (tx) => ({
    settings: settingsIn(tx, connections.settings),
    nowMs: connections.nowMs(),
  }));
  await transact(connections, 'pruneRows', async (session) => {
    const outputsMs = nowMs - settings['retention.attemptOutput'];
    const keysMs = nowMs - settings['retention.idempotencyKeys'];
    await session.statement('outputs', (tx) => {
      const old = [...tx.state.outputs].filter(([, row]) => row.endedAtMs < outputsMs);
      old.sort(([, a], [, b]) => a.endedAtMs - b.endedAtMs);
      for (const [id] of old.slice(0, limit)) tx.remove(tx.state.outputs, id);
    });
    await session.statement('callbacks', (tx) => pruneCallbacks(tx, outputsMs, limit));
    await session.statement('keys', (tx) => {
      const old = [...tx.state.idempotencyKeys].filter(([, row]) => row.createdAtMs < keysMs);
      old.sort(([, a], [, b]) => a.createdAtMs - b.createdAtMs);
      for (const [key] of old.slice(0, limit)) tx.remove(tx.state.idempotencyKeys, key);
    });
  });
  await transact(connections, 'pruneEvents', async (session) => {
    const endedBeforeMs = nowMs - settings['retention.events'];
    const count = await session.statement('prune', (tx) => pruneEvents(tx, endedBeforeMs));
    if (count === 0) return;
    const { events } = chainEvents({ head: null, length: 0 }, [
      {
        type: 'retention.pruned',
        actor: { kind: 'system', name: 'retention' },
        atMs: nowMs,
        promotionId: null,
        subject: 'events',
        data: { count, endedBefore: toRfc3339(endedBeforeMs) },
      },
    ]);
    await session.statement('event', (tx) => insertEvents(tx, events));
  });
}

/** What was said, but of an open debt, which the collector may not have read; and what ended promotions had been promised. */
function pruneCallbacks(tx: MemoryTransaction, beforeMs: number, limit: number): void {
  const { state } = tx;
  const openDebts = new Set<string>();
  for (const debt of tx.rows(state.debts)) if (debt.state === 'open') openDebts.add(debt.id);
  const callbacks = [...tx.rows(state.callbacks)]
    .filter((one) => one.receivedAtMs < beforeMs && !openDebts.has(one.operationId.split('.')[0] ?? ''))
    .sort((a, b) => a.receivedAtMs - b.receivedAtMs || (a.operationId < b.operationId ? -1 : 1));
  for (const { operationId } of callbacks.slice(0, limit)) tx.remove(state.callbacks, operationId);
  const acknowledged = [...tx.rows(state.promotions)]
    .filter(({ promotion }) => promotion.endedAtMs !== null)
    .flatMap(({ promotion: { id }, attempts }) =>
      [...attempts.values()].map(({ operationId, acknowledgedAtMs: atMs }) => ({
        id,
        operationId,
        atMs: atMs ?? beforeMs,
      })),
    )
    .filter(({ atMs }) => atMs < beforeMs)
    .sort((a, b) => a.atMs - b.atMs || (a.operationId < b.operationId ? -1 : 1));
  for (const { id, operationId } of acknowledged.slice(0, limit)) {
    const row = tx.get(state.promotions, id);
    const attempt = row?.attempts.get(operationId);
    if (row === undefined || attempt === undefined) continue;
    const attempts = new Map(row.attempts).set(operationId, { ...attempt, acknowledgedAtMs: null });
    tx.put(state.promotions, id, { ...row, attempts });
  }
}

/** Of whole promotions that ended before, oldest first, once all of theirs are sequenced. Answers how many went. */
function pruneEvents(tx: MemoryTransaction, endedBeforeMs: number): number {
  const { state } = tx;
  const beforeMs = Math.min(endedBeforeMs, tx.beganMs - EVENTS_KEPT_MS_MIN);
  const open = new Set<string | null>();
  for (const { event } of tx.rows(state.unsequenced)) open.add(event.promotionId);
  const old = [...tx.rows(state.promotions)]
    .filter(({ promotion, events }) => {
      const isOld = promotion.endedAtMs !== null && promotion.endedAtMs < beforeMs;
      return isOld && events.length > 0 && !open.has(promotion.id);
    })
    .sort((a, b) => (a.promotion.endedAtMs ?? 0) - (b.promotion.endedAtMs ?? 0))
    .slice(0, PROMOTIONS_PER_PRUNE);
  const gone = new Set<string | null>(old.map((row) => row.promotion.id));
  for (const row of old) tx.put(state.promotions, row.promotion.id, { ...row, events: [] });
  let count = 0;
  for (const { id, event } of tx.rows(state.events)) {
    if (!gone.has(event.promotionId)) continue;
    tx.remove(state.events, id);
    count += 1;
  }
  return count;
}
