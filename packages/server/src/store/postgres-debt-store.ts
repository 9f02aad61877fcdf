/** The port of the collector of debts on PostgreSQL. */
import {
  AppError,
  type Actor,
  answerDebt,
  chainEvents,
  claimDebt,
  type DebtAnswer,
  type GateDebt,
  isAppError,
  postponeDebt,
  toRfc3339,
} from '@stella/domain';
import type { DebtStore, DueDebt, TakenDebts } from '../ports/debt-store.ts';
import { findCallbackRow } from './callback-rows.ts';
import { autocommit, type Database, type Session, sqlState, type Statement, transact } from './connection.ts';
import { insertEvents } from './event-rows.ts';
import { lockEnvironment } from './guard.ts';
import type { StoreOptions } from './postgres-engine-store.ts';
import { overlay, SET_SETTINGS } from './setting-rows.ts';
import { type RawDebt, toDebt } from './skip-rows.ts';
import { readSnapshot } from './snapshot.ts';

/** Locks them; those that another collector has locked are left to it. */
const FIND_DUE: Statement = {
  name: 'debts_due',
  text: `select to_json(d) as debt, date_trunc('milliseconds', clock_timestamp()) as now, ${SET_SETTINGS} as settings
    from gate_debts d where d.state = 'open' and d.due_at <= now() order by d.due_at limit $1 for update skip locked`,
};

const CLAIM: Statement = {
  name: 'debt_claim',
  text: 'update gate_debts set ask_count = $2, due_at = $3 where id = $1',
};

/** After the environment's row, as a promotion that supersedes it takes them. */
const LOCK: Statement = {
  name: 'debt_lock',
  text: `select to_json(d) as debt, date_trunc('milliseconds', clock_timestamp()) as now, ${SET_SETTINGS} as settings
    from gate_debts d where d.id = $1 and d.state = 'open' and d.ask_count = $2 for update`,
};

const WRITE: Statement = {
  name: 'debt_write',
  text: `update gate_debts set state = $2, closed_at = $3, due_at = $4, last_asked_at = $5, last_outcome = $6, message = $7
    where id = $1`,
};

export function makeDebtStore(database: Database, options: StoreOptions): DebtStore {
  return {
    takeDueDebts: (limit) => transact(database, (session) => takeDueDebts(session, options, limit)),
    recordAnswer: (debt, answer, actor) =>
      transact(database, (session) => recordAnswer(session, options, { debt, answer, actor })),
    findCallback: (operationId) => autocommit(database, (session) => findCallbackRow(session, operationId)),
  };
}

async function takeDueDebts(session: Session, { cache, settings }: StoreOptions, limit: number): Promise<TakenDebts> {
  const due: DueDebt[] = [];
  const unreadable: TakenDebts['unreadable'][number][] = [];
  for (const row of await session.rows(FIND_DUE, [limit])) {
    // The shape of a row that only our own statements write.
    const found = toDebt(row['debt'] as RawDebt);
    const nowMs = Number(row['now']);
    try {
      const snapshot = await readSnapshot(session, cache, settings, found.promotionId);
      if (!snapshot)
        throw new AppError('internal', {
          details: { message: `promotion ${found.promotionId} is not there as a whole` },
        });
      const debt = await claim(session, claimDebt(found, snapshot, nowMs));
      due.push({ debt, snapshot, nowMs });
    } catch (error) {
      if (isOfDatabase(error)) throw error;
      const intervalMs = overlay(settings, row['settings'])['debts.interval'];
      unreadable.push({ debt: await claim(session, postponeDebt(found, nowMs, intervalMs)), error });
    }
  }
  return { due, unreadable };
}

async function claim(session: Session, debt: GateDebt): Promise<GateDebt> {
  await session.rows(CLAIM, [debt.id, debt.askCount, instantOrNull(debt.dueAtMs)]);
  return debt;
}

/** After it the transaction takes no further statement. */
function isOfDatabase(error: unknown): boolean {
  return isAppError(error, 'database.unavailable') || sqlState(error) !== null;
}

interface AnswerInput {
  readonly debt: GateDebt;
  readonly answer: DebtAnswer;
  readonly actor: Actor;
}

async function recordAnswer(
  session: Session,
  options: StoreOptions,
  { debt: claimed, answer, actor }: AnswerInput,
): Promise<GateDebt | null> {
  await lockEnvironment(session, claimed.environment);
  const [row] = await session.rows(LOCK, [claimed.id, claimed.askCount]);
  if (!row) return null;
  const intervalMs = overlay(options.settings, row['settings'])['debts.interval'];
  // The shape of a row that only our own statements write.
  const { debt, events } = answerDebt(toDebt(row['debt'] as RawDebt), answer, {
    nowMs: Number(row['now']),
    actor,
    intervalMs,
    claimedUntilMs: claimed.dueAtMs,
  });
  await session.rows(WRITE, [
    debt.id,
    debt.state,
    instantOrNull(debt.closedAtMs),
    instantOrNull(debt.dueAtMs),
    instantOrNull(debt.lastAskedAtMs),
    debt.lastOutcome,
    debt.message,
  ]);
  await insertEvents(session, chainEvents({ head: null, length: 0 }, events).events);
  return debt;
}

function instantOrNull(instantMs: number | null): string | null {
  return instantMs === null ? null : toRfc3339(instantMs);
}
