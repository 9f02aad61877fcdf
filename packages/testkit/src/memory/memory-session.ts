/**
 * Connections to the state, one per transaction: every statement and every commit is a turn that whoever drives the store
 * may delay, fail, or never give. What PostgreSQL limits by time is limited here by the same times, on the given clock.
 */
import {
  AppError,
  type Decision,
  type DecideContext,
  type IdSource,
  type PromotionId,
  type PromotionSnapshot,
  type Settings,
} from '@stella/domain';
import type { Clock } from '@stella/server';
import { DatabaseRefusal } from './database-refusal.ts';
import { payOwed, wakeOwed } from './memory-wakes.ts';
import { type MemoryState, promotionKey } from './memory-state.ts';
import { beginTransaction, type MemoryTransaction } from './memory-transaction.ts';
import type { RowLockMode } from './row-locks.ts';

/** As the PostgreSQL store sets them for its connections. */
const LOCK_TIMEOUT_MS = 5_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 4_000;

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

export interface MemoryStoresOptions {
  /** Shared by all servers of one database. */
  readonly state: MemoryState;
  readonly ids: IdSource;
  /** What this server was started with; default: what the state says. */
  readonly settings?: Settings;
  /** The database's clock. */
  readonly nowMs: () => number;
  /**
   * Awaited where the PostgreSQL store sends a statement or a commit: `tick.lock`, `tick.commit` …, and after a commit
   * was applied: `tick.committed`. Rejecting before the commit rolls back, after it leaves the commit ambiguous; either
   * way the method rejects with the same error.
   */
  readonly turn: (point: string) => Promise<void>;
  /**
   * Which of two promotions that are due since the same moment is claimed first, as in `sort`: the database promises no
   * order among them. Default: in order of making.
   */
  readonly compareDue?: (a: PromotionId, b: PromotionId) => number;
  /** Called right after the commit of each write to a promotion. */
  readonly onWrite?: (record: WriteRecord) => void;
  /** Ends waits for locks, and transactions that hold one while idle. Without it both last. */
  readonly clock?: Pick<Clock, 'schedule'>;
}

export interface MemoryConnections extends MemoryStoresOptions {
  readonly settings: Settings;
  readonly open: Set<MemorySession>;
}

/** Every open transaction is rolled back, as when the process or its network is gone. */
export function breakConnections({ open }: MemoryConnections): void {
  for (const session of open) session.break();
}

/** By transaction, so that a waiter finds out how long the one before it has been idle. */
const sessions = new WeakMap<object, MemorySession>();

export class MemorySession {
  readonly tx: MemoryTransaction;
  /** Handed to `onWrite` after the commit. */
  readonly writes: WriteRecord[] = [];
  private readonly connections: MemoryConnections;
  private readonly method: string;
  private statementCount = 0;
  private hasFailed = false;
  private isBroken = false;
  /** When its last statement was answered; null while one runs. */
  private idleSinceMs: number | null = null;

  constructor(connections: MemoryConnections, method: string) {
    this.connections = connections;
    this.method = method;
    this.tx = beginTransaction(connections.state, connections.nowMs());
    connections.open.add(this);
    sessions.set(this.tx, this);
    this.tx.endIfIdle = () => void this.expireIdle();
  }

  /** One statement. Its first error fails the transaction. */
  async statement<T>(name: string, run: (tx: MemoryTransaction, nowMs: number) => T | Promise<T>): Promise<T> {
    await this.connections.turn(`${this.method}.${name}`);
    this.insistUsable();
    if (this.statementCount === 0) this.tx.beganMs = this.connections.nowMs();
    this.statementCount += 1;
    this.idleSinceMs = null;
    try {
      return await run(this.tx, this.connections.nowMs());
    } catch (error) {
      this.hasFailed = true;
      throw this.isBroken ? connectionLost() : error;
    } finally {
      this.idleSinceMs = this.connections.nowMs();
    }
  }

  /** Within a statement: waits for a row. Errors: 55P03 after the patience, 40P01 in a circle. */
  async lock(key: string, mode: RowLockMode = 'update', patienceMs = LOCK_TIMEOUT_MS): Promise<void> {
    if (this.tx.tryLock(key, mode)) return;
    const cancel = this.limitWait(patienceMs);
    try {
      await this.tx.lock(key, mode);
      // Whoever is in charge decides when the waiter goes on, after the holder has ended.
      await this.connections.turn('lock.granted');
      if (this.isBroken) throw connectionLost();
    } finally {
      cancel();
    }
  }

  async commit(): Promise<void> {
    await this.connections.turn(`${this.method}.commit`);
    this.insistUsable(true);
    this.commitNow();
    await this.connections.turn(`${this.method}.committed`);
  }

  /** A single statement commits by itself. */
  async committed(): Promise<void> {
    this.insistUsable(true);
    this.commitNow();
    await this.connections.turn(`${this.method}.committed`);
  }

  /** Those whose rows were held are woken after the commit, waiting for their rows; a failure is not the commit's. */
  async payWakes(): Promise<void> {
    const { owedWakes } = this.tx;
    if (owedWakes.length === 0) return;
    try {
      await autocommit(this.connections, 'wake.skipped', async (tx, session) => {
        for (const id of owedWakes) {
          await session.lock(promotionKey(id));
          wakeOwed(tx, id);
        }
        payOwed(tx, (one) => owedWakes.includes(one.promotionId));
      });
    } catch (error) {
      // They stay owed; only what may fail does.
      if (!(error instanceof AppError) && !(error instanceof DatabaseRefusal)) throw error;
    }
  }

  rollback(): void {
    this.connections.open.delete(this);
    this.tx.rollback();
  }

  break(): void {
    this.isBroken = true;
    this.connections.state.rowLocks.refuse(this.tx, connectionLost());
    this.rollback();
  }

  /** The server ends a session that keeps its locks and says nothing. Answers how long it may still be silent. */
  private expireIdle(): number {
    if (this.idleSinceMs === null) return IDLE_IN_TRANSACTION_TIMEOUT_MS;
    const leftMs = this.idleSinceMs + IDLE_IN_TRANSACTION_TIMEOUT_MS - this.connections.nowMs();
    if (leftMs <= 0 && this.tx.isOpen) this.break();
    return leftMs;
  }

  private limitWait(patienceMs: number): () => void {
    const { clock, state } = this.connections;
    if (!clock) return () => undefined;
    const cancels = [
      clock.schedule(patienceMs, () => {
        const error = new DatabaseRefusal('canceling statement due to lock timeout', { sqlState: '55P03' });
        state.rowLocks.refuse(this.tx, error);
      }),
    ];
    const watch = (): void => {
      for (const holder of state.rowLocks.holdersBefore(this.tx)) {
        const leftMs = sessions.get(holder)?.expireIdle() ?? 0;
        if (leftMs > 0) cancels.push(clock.schedule(leftMs, watch));
      }
    };
    // After the wait has begun: then it is known who holds the row.
    cancels.push(clock.schedule(0, watch));
    return () => {
      for (const cancel of cancels) cancel();
    };
  }

  private commitNow(): void {
    if (this.hasFailed) throw new Error('the transaction was rolled back at its commit');
    this.tx.commit();
    this.connections.open.delete(this);
    for (const write of this.writes) this.connections.onWrite?.(write);
  }

  private insistUsable(isCommit = false): void {
    if (!this.isBroken && this.tx.isOpen) this.expireIdle();
    if (this.isBroken || !this.tx.isOpen) throw connectionLost();
    if (this.hasFailed && !isCommit) {
      throw new DatabaseRefusal('current transaction is aborted', { sqlState: '25P02' });
    }
  }
}

function connectionLost(): AppError {
  return new AppError('database.unavailable', { details: { message: 'Connection terminated unexpectedly' } });
}

/** Commits when `work` resolves, rolls back when it throws. */
export async function transact<T>(
  connections: MemoryConnections,
  method: string,
  work: (session: MemorySession) => Promise<T>,
): Promise<T> {
  for (let retry = 0; retry < VICTIM_RETRIES_MAX; retry += 1) {
    try {
      return await transactOnce(connections, method, work);
    } catch (error) {
      if (!(error instanceof DatabaseRefusal) || !VICTIM_STATES.has(error.code)) throw error;
    }
  }
  return transactOnce(connections, method, work);
}

/** Given up for another transaction: repeated as often as the real store does. */
const VICTIM_STATES: ReadonlySet<string> = new Set(['40001', '40P01']);
const VICTIM_RETRIES_MAX = 3;

async function transactOnce<T>(
  connections: MemoryConnections,
  method: string,
  work: (session: MemorySession) => Promise<T>,
): Promise<T> {
  const session = new MemorySession(connections, method);
  let result: T;
  try {
    result = await work(session);
    await session.commit();
  } catch (error) {
    throw toStoreError(error);
  } finally {
    session.rollback();
  }
  await session.payWakes();
  return result;
}

/** One statement, its own transaction. */
export async function autocommit<T>(
  connections: MemoryConnections,
  point: `${string}.${string}`,
  run: (tx: MemoryTransaction, session: MemorySession) => T | Promise<T>,
): Promise<T> {
  const [method = '', name = ''] = point.split('.');
  const session = new MemorySession(connections, method);
  try {
    const result = await session.statement(name, (tx) => run(tx, session));
    await session.committed();
    return result;
  } catch (error) {
    throw toStoreError(error);
  } finally {
    session.rollback();
  }
}

/** A lock that was not got within its deadline: another time it may be. */
function toStoreError(error: unknown): unknown {
  const isTooLate = error instanceof DatabaseRefusal && error.code === '55P03';
  if (!isTooLate) return error;
  return new AppError('database.unavailable', { details: { message: error.message }, cause: error });
}
