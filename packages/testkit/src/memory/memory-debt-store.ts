/** The port of the collector of debts in memory. */
import {
  type Actor,
  answerDebt,
  chainEvents,
  type DebtAnswer,
  type GateDebt,
  type PromotionSnapshot,
  withGateSettings,
} from '@stella/domain';
import type { DebtStore, DueDebt } from '@stella/server';
import { freezeDeeply } from '../simulation/safety-violation.ts';
import { readSnapshotIn, settingsIn } from './memory-reads.ts';
import { type MemoryConnections, type MemorySession, transact } from './memory-session.ts';
import { debtKey, environmentKey } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';
import { insertEvents, writeDebt } from './memory-writes.ts';

/** As the PostgreSQL store leaves it. */
const LEASE_SLACK_MS = 30_000;

export function makeMemoryDebtStore(connections: MemoryConnections): DebtStore {
  return {
    takeDueDebts: (limit) =>
      transact(connections, 'takeDueDebts', (session) => takeDueDebts(connections, session, limit)),
    recordAnswer: (debt, answer, actor) =>
      transact(connections, 'recordAnswer', (session) => recordAnswer(connections, session, { debt, answer, actor })),
  };
}

async function takeDueDebts(
  { settings, state }: MemoryConnections,
  session: MemorySession,
  limit: number,
): Promise<readonly DueDebt[]> {
  const found = await session.statement('find', (tx, nowMs) => ({ nowMs, debts: lockDue(tx, nowMs, limit) }));
  const due: DueDebt[] = [];
  for (const debt of found.debts) {
    const snapshot = await session.statement('read', (tx) => readSnapshotIn(tx, settings, debt.promotionId));
    if (!snapshot) continue;
    const dueAtMs = found.nowMs + askingMs(debt, snapshot) + LEASE_SLACK_MS;
    const claimed = { ...debt, askCount: debt.askCount + 1, dueAtMs };
    await session.statement('claim', (tx) => writeDebt(tx, claimed));
    due.push({ debt: claimed, snapshot: state.isFrozen ? freezeDeeply(snapshot) : snapshot, nowMs: found.nowMs });
  }
  return due;
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

function askingMs({ gate: name, environment }: GateDebt, { promotion, settings }: PromotionSnapshot): number {
  const declared = promotion.definition.gates.find((one) => one.name === name);
  const gate = declared && withGateSettings(declared, environment, settings);
  return gate?.kind === 'http' ? gate.timeoutMs : 0;
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
  const message = answer.message.replaceAll('\u0000', '\ufffd');
  const context = { nowMs, actor, intervalMs: settings['debts.interval'] };
  const { debt, events } = answerDebt(current.debt, { ...answer, message }, context);
  await session.statement('write', (tx) => writeDebt(tx, debt));
  if (events.length > 0) {
    const chained = chainEvents({ head: null, length: 0 }, events).events;
    await session.statement('writeEvents', (tx) => insertEvents(tx, chained));
  }
  return debt;
}
