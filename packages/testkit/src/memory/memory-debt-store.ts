/** The port of the collector of debts in memory. */
import { type Actor, answerDebt, chainEvents, claimDebt, type DebtAnswer, type GateDebt } from '@stella/domain';
import type { DebtStore, DueDebt, TakenDebts } from '@stella/server';
import { freezeDeeply } from '../simulation/safety-violation.ts';
import { readSnapshotIn, settingsIn } from './memory-reads.ts';
import { type MemoryConnections, type MemorySession, transact } from './memory-session.ts';
import { debtKey, environmentKey } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';
import { insertEvents, writeDebt } from './memory-writes.ts';

export function makeMemoryDebtStore(connections: MemoryConnections): DebtStore {
  return {
    takeDueDebts: (limit) =>
      transact(connections, 'takeDueDebts', (session) => takeDueDebts(connections, session, limit)),
    recordAnswer: (debt, answer, actor) =>
      transact(connections, 'recordAnswer', (session) => recordAnswer(connections, session, { debt, answer, actor })),
    async findCallback(operationId) {
      const { verdict, message } = connections.state.callbacks.get(operationId) ?? {};
      return verdict === undefined ? null : { outcome: verdict, message: message ?? '' };
    },
  };
}

async function takeDueDebts(
  { settings, state }: MemoryConnections,
  session: MemorySession,
  limit: number,
): Promise<TakenDebts> {
  const found = await session.statement('find', (tx, nowMs) => ({ nowMs, debts: lockDue(tx, nowMs, limit) }));
  const due: DueDebt[] = [];
  for (const debt of found.debts) {
    const snapshot = await session.statement('read', (tx) => readSnapshotIn(tx, settings, debt.promotionId));
    if (!snapshot) continue;
    const claimed = claimDebt(debt, snapshot, found.nowMs);
    await session.statement('claim', (tx) => writeDebt(tx, claimed));
    due.push({ debt: claimed, snapshot: state.isFrozen ? freezeDeeply(snapshot) : snapshot, nowMs: found.nowMs });
  }
  // Rows in memory are the domain's own values: there is none that cannot be read.
  return { due, unreadable: [] };
}

/** Those that another collector has locked are left to it. */
function lockDue(tx: MemoryTransaction, nowMs: number, limit: number): readonly GateDebt[] {
  const due = [...tx.rows(tx.state.debts)]
    .filter((debt) => debt.state === 'open' && debt.dueAtMs !== null && debt.dueAtMs <= nowMs)
    .sort((a, b) => (a.dueAtMs ?? 0) - (b.dueAtMs ?? 0));
  const locked: GateDebt[] = [];
  for (const debt of due) {
    if (locked.length < limit && tx.tryLock(debtKey(debt.id))) locked.push(debt);
  }
  return locked;
}

interface AnswerInput {
  readonly debt: GateDebt;
  readonly answer: DebtAnswer;
  readonly actor: Actor;
}

async function recordAnswer(
  connections: MemoryConnections,
  session: MemorySession,
  { debt: claimed, answer, actor }: AnswerInput,
): Promise<GateDebt | null> {
  await session.statement('lockEnvironment', () => session.lock(environmentKey(claimed.environment)));
  const current = await session.statement('lock', async (tx, nowMs) => {
    await session.lock(debtKey(claimed.id));
    const debt = tx.get(tx.state.debts, claimed.id);
    const isCounting = debt?.state === 'open' && debt.askCount === claimed.askCount;
    return isCounting ? { debt, nowMs, settings: settingsIn(tx, connections.settings) } : null;
  });
  if (!current) return null;
  const { nowMs, settings } = current;
  const context = { nowMs, actor, intervalMs: settings['debts.interval'], claimedUntilMs: claimed.dueAtMs };
  const { debt, events } = answerDebt(current.debt, answer, context);
  await session.statement('write', (tx) => writeDebt(tx, debt));
  if (events.length > 0) {
    const chained = chainEvents({ head: null, length: 0 }, events).events;
    await session.statement('writeEvents', (tx) => insertEvents(tx, chained));
  }
  return debt;
}
