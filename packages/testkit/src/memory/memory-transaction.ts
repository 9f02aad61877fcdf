/**
 * A transaction at read committed: it sees what is committed at the moment of each statement, under its own writes, which
 * nobody else sees before its end. Writes lie beside the state until then, so a rollback only forgets them.
 */
import type { PromotionId } from '@stella/domain';
import { freezeDeeply } from '../simulation/safety-violation.ts';
import type { MemoryState } from './memory-state.ts';
import type { LockOwner, RowLockMode } from './row-locks.ts';

type Table<K, V> = Map<K, V>;
/** A row that the transaction removed. */
const GONE = Symbol('gone');

/** Reads of a transaction, or of nobody in particular. */
export interface View {
  readonly state: MemoryState;
  /** `now()` of PostgreSQL: when the transaction began. */
  readonly beganMs: number;
  get<K, V>(table: Table<K, V>, key: K): V | undefined;
  rows<K, V>(table: Table<K, V>): Iterable<V>;
}

export interface MemoryTransaction extends View, LockOwner {
  beganMs: number;
  put<K, V>(table: Table<K, V>, key: K, row: V): void;
  remove<K, V>(table: Table<K, V>, key: K): void;
  /** Resolves when the row is this transaction's until its end. */
  lock(key: string, mode?: RowLockMode): Promise<void>;
  /** False when another transaction has it. */
  tryLock(key: string, mode?: RowLockMode): boolean;
  commit(): void;
  /** Ends it without a trace; nothing when it has ended. */
  rollback(): void;
  readonly isOpen: boolean;
  /** Whom it could not wake, for their rows were held: done after its commit. */
  readonly owedWakes: PromotionId[];
}

/** What is committed, without own writes. */
export function committedView(state: MemoryState, nowMs: number): View {
  return { state, beganMs: nowMs, get: (table, key) => table.get(key), rows: (table) => table.values() };
}

export function beginTransaction(state: MemoryState, nowMs: number): MemoryTransaction {
  return new Transaction(state, nowMs);
}

class Transaction implements MemoryTransaction {
  readonly state: MemoryState;
  beganMs: number;
  readonly heldKeys = new Set<string>();
  waiting: LockOwner['waiting'] = null;
  endIfIdle: () => void = () => undefined;
  isOpen = true;
  readonly owedWakes: MemoryTransaction['owedWakes'] = [];
  // Keys and rows of many types; each is read back through the table that it was written for.
  private readonly own = new Map<Table<unknown, unknown>, Map<unknown, unknown>>();

  constructor(state: MemoryState, nowMs: number) {
    this.state = state;
    this.beganMs = nowMs;
  }

  get<K, V>(table: Table<K, V>, key: K): V | undefined {
    const own = this.ownRows(table);
    if (!own?.has(key)) return table.get(key);
    const row = own.get(key);
    // What was written for this table has its type.
    return row === GONE ? undefined : (row as V);
  }

  rows<K, V>(table: Table<K, V>): Iterable<V> {
    const own = this.ownRows(table);
    return own ? laidOver(table, own) : table.values();
  }

  put<K, V>(table: Table<K, V>, key: K, row: V): void {
    this.ownRowsFor(table).set(key, this.state.isFrozen ? freezeDeeply(row) : row);
  }

  remove<K, V>(table: Table<K, V>, key: K): void {
    this.ownRowsFor(table).set(key, GONE);
  }

  lock(key: string, mode: RowLockMode = 'update'): Promise<void> {
    return this.state.rowLocks.lock(this, key, mode);
  }

  tryLock(key: string, mode: RowLockMode = 'update'): boolean {
    return this.state.rowLocks.tryLock(this, key, mode);
  }

  commit(): void {
    for (const [table, own] of this.own) {
      for (const [key, row] of own) {
        if (row === GONE) table.delete(key);
        else table.set(key, row);
      }
    }
    this.end();
  }

  rollback(): void {
    if (this.isOpen) this.end();
  }

  private end(): void {
    this.isOpen = false;
    this.own.clear();
    this.state.rowLocks.releaseAll(this);
  }

  private ownRows<K, V>(table: Table<K, V>): Map<unknown, unknown> | undefined {
    return this.own.get(table);
  }

  private ownRowsFor<K, V>(table: Table<K, V>): Map<unknown, unknown> {
    let own = this.ownRows(table);
    if (!own) {
      own = new Map();
      this.own.set(table, own);
    }
    return own;
  }
}

/** A list of its own, so that whoever goes through it may write meanwhile. */
function laidOver<K, V>(table: Table<K, V>, own: ReadonlyMap<unknown, unknown>): readonly V[] {
  const rows: V[] = [];
  for (const [key, row] of table) {
    if (!own.has(key)) rows.push(row);
  }
  for (const row of own.values()) {
    // What was written for this table has its type.
    if (row !== GONE) rows.push(row as V);
  }
  return rows;
}
