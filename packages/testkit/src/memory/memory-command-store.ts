/** The commands' port in memory: the same statements, locks and commits as `postgres-command-store.ts`. */
import { AppError, chainEvents, type PromotionId, type PromotionSnapshot } from '@stella/domain';
import type { CommandStore, CommandTransaction, NewCallback } from '@stella/server';
import { freezeDeeply } from '../simulation/safety-violation.ts';
import { environmentMethods } from './memory-environments.ts';
import { writeOn } from './memory-engine-store.ts';
import { reserveKey, storeAnswer } from './memory-idempotency.ts';
import { identityMethods } from './memory-identity.ts';
import { notificationMethods } from './memory-notifications.ts';
import { isStale, readGuard, readSnapshotIn, settingsIn } from './memory-reads.ts';
import { type MemoryConnections, type MemorySession, transact } from './memory-session.ts';
import { registryMethods } from './memory-registries.ts';
import { settingMethods } from './memory-settings.ts';
import { debtKey, environmentKey, promotionKey } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';
import { insertDecision, insertEvents, liveKeyOf, writeApproval, writeDebt } from './memory-writes.ts';

export function makeMemoryCommandStore(connections: MemoryConnections): CommandStore {
  return {
    transact: (idempotency, work) =>
      transact(connections, 'transact', async (session) => {
        const { nowMs, settings } = await session.statement('now', (tx, readAtMs) => ({
          nowMs: readAtMs,
          settings: settingsIn(tx, connections.settings),
        }));
        if (idempotency) {
          const kept = await reserveKey(session, idempotency, nowMs);
          if (kept) return kept;
        }
        const answer = await work(makeTransaction({ ...connections, settings }, session, nowMs));
        if (idempotency) await storeAnswer(session, idempotency, answer);
        return answer;
      }),
  };
}

/** When the transaction is, as its rows were read. */
interface Moment {
  nowMs: number;
}

function makeTransaction(connections: MemoryConnections, session: MemorySession, nowMs: number): CommandTransaction {
  const moment: Moment = { nowMs };
  return {
    get nowMs() {
      return moment.nowMs;
    },
    settings: connections.settings,
    ...promotionMethods(connections, session, moment),
    ...environmentMethods(session, connections.ids, nowMs),
    ...settingMethods(session, nowMs),
    ...identityMethods(session, connections.ids),
    ...notificationMethods(session, nowMs),
    ...registryMethods(session, nowMs),
    async writeEvents(events) {
      if (events.length === 0) return;
      const { events: chained } = chainEvents({ head: null, length: 0 }, events);
      await session.statement('writeEvents', (tx) => insertEvents(tx, chained));
    },
  };
}

type PromotionMethods = Pick<
  CommandTransaction,
  | 'readPromotion'
  | 'lockPromotion'
  | 'guard'
  | 'writeDecision'
  | 'writeDebtApproval'
  | 'insertCallback'
  | 'findLockHolder'
  | 'insertPromotion'
>;

function promotionMethods(connections: MemoryConnections, session: MemorySession, moment: Moment): PromotionMethods {
  /** What the rule was shown last, for the record of its write. */
  let before: PromotionSnapshot | null = null;
  let guard: Awaited<ReturnType<CommandTransaction['guard']>>['guard'] | null = null;
  const readNow = (name: string, id: PromotionId): Promise<PromotionSnapshot> =>
    session.statement(name, (tx, nowMs) => {
      moment.nowMs = nowMs;
      return readKnown(connections, tx, id);
    });
  return {
    readPromotion: (id) => session.statement('readPromotion', (tx) => readKnown(connections, tx, id)),
    async lockPromotion(id) {
      const isThere = await session.statement('lockPromotion', async (tx) => {
        if (!tx.get(tx.state.promotions, id)) return false;
        await session.lock(promotionKey(id));
        return true;
      });
      if (!isThere) return null;
      before = await readNow('readLocked', id);
      return before;
    },
    async guard({ promotion }) {
      const { environment, id } = promotion;
      await session.statement('lockEnvironment', () => session.lock(environmentKey(environment)));
      const drawn = await session.statement('guard', (tx) => readGuard(tx, promotion));
      guard = drawn;
      before = await readNow('readGuarded', id);
      return { snapshot: before, guard: drawn };
    },
    async writeDecision(decision) {
      await writeOn(session, decision, 'person');
      session.writes.push({
        kind: 'commanded',
        before,
        context: { nowMs: moment.nowMs, guard, isTakeover: false },
        ended: [],
        decision,
      });
    },
    writeDebtApproval: ({ approval, debt }) =>
      session.statement('writeDebtApproval', async (tx) => {
        await session.lock(environmentKey(debt.environment));
        await session.lock(debtKey(debt.id));
        writeApproval(tx, debt.promotionId, approval);
        const current = tx.get(tx.state.debts, debt.id);
        if (current?.state === 'open') writeDebt(tx, { ...current, dueAtMs: approval.atMs });
      }),
    insertCallback: (callback) => insertCallback(session, callback),
    findLockHolder: (id) =>
      session.statement('findLockHolder', (tx) => {
        const lock = tx.get(tx.state.locks, id);
        if (!lock || lock.releasedAtMs !== null) return null;
        return { promotionId: lock.promotionId, isStale: isStale(tx, lock.promotionId) };
      }),
    async insertPromotion(decision) {
      await session.statement('insertPromotion', async (tx) => {
        await session.lock(liveKeyOf(decision));
        insertDecision(tx, decision);
      });
      const context = { nowMs: moment.nowMs, guard: null, isTakeover: false };
      session.writes.push({ kind: 'created', before: null, context, ended: [], decision });
    },
  };
}

function insertCallback(
  session: MemorySession,
  callback: NewCallback,
): ReturnType<CommandTransaction['insertCallback']> {
  return session.statement('insertCallback', async (tx, receivedAtMs) => {
    const { operationId, gateRunId, webhookId } = callback;
    await session.lock(`gate_callbacks ${operationId}`);
    await session.lock(`gate_callbacks ${gateRunId} ${webhookId}`);
    for (const other of tx.rows(tx.state.callbacks)) {
      if (other.gateRunId === gateRunId && other.webhookId === webhookId) return 'replayed';
    }
    if (tx.get(tx.state.callbacks, operationId)) return 'answered';
    tx.put(tx.state.callbacks, operationId, { ...callback, receivedAtMs });
    return 'written';
  });
}

/** Errors: `promotion.not_found`. */
function readKnown(connections: MemoryConnections, tx: MemoryTransaction, id: PromotionId): PromotionSnapshot {
  const snapshot = readSnapshotIn(tx, connections.settings, id);
  if (!snapshot) throw new AppError('promotion.not_found', { details: { name: id } });
  return connections.state.isFrozen ? freezeDeeply(snapshot) : snapshot;
}
