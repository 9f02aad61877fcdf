/**
 * Stops each statement of one side before it is sent, and lets it go when the scheduler says so. One side has one
 * connection: its statements go in their order, whatever is pipelined.
 */
import type pg from 'pg';

/**
 * `read`: sees what is committed and holds nothing. `write`: takes a lock, draws a number or changes a row. `end`: makes
 * changes visible and lets locks go. A statement outside of a transaction is its own end.
 */
export type StatementClass = 'read' | 'write' | 'end';

export interface PendingStatement {
  readonly name: string;
  readonly kind: StatementClass;
  /** What it touches: promotions by id; null for everything. Of an end: what its transaction wrote. */
  readonly keys: ReadonlySet<string> | null;
}

export interface Side {
  readonly name: 'A' | 'B';
  /** What waits to be sent; null while one is under way, or between two. */
  pending(): PendingStatement | null;
  /** Sends it. */
  release(): void;
  /** Of the connection; 0 before its first statement. */
  pid(): number;
  isOver(): boolean;
  /** From now on statements stop; `work` is what the side does. Answers in words how it ended. */
  run(
    work: () => Promise<unknown>,
    tell: (outcome: { readonly value: unknown } | { readonly error: unknown }) => void,
  ): void;
  /** Lets everything go that it stops, so that a failed search can close its connections. */
  open(): void;
  /** Patches a connection, once. */
  attach(client: pg.ClientBase): void;
}

interface Waiting extends PendingStatement {
  readonly send: () => void;
}

/** Statements that only prepare: they touch nothing that the other side may see. */
const UNGATED = /^(begin|set |reset )/;
const WRITES = /for (update|share)|insert into|update |delete from|nextval|advisory|renew_|raise_|prune_/;

/** They read what never changes, and settings. */
const READS_APART: Readonly<Record<string, string>> = {
  now_ms: 'settings',
  definition_read: 'definitions',
  release_read: 'releases',
};
/** They touch their promotion's own rows, whatever else they look at in their text. */
const OWN: ReadonlySet<string> = new Set(['promotion_lock', 'outcomes_insert', 'snapshot_read']);
const OTHERS = /environments|locks|workers|chain_head|settings|insert into promotions|skip locked/;

function keysOf(name: string, text: string, values: unknown): ReadonlySet<string> | null {
  const apart = READS_APART[name];
  if (apart !== undefined) return new Set([apart]);
  const ids = JSON.stringify(values ?? []).match(/prm_[0-9a-f]+/g) ?? [];
  const isOwn = OWN.has(name) || !OTHERS.test(text);
  return isOwn && ids.length > 0 ? new Set(ids) : null;
}

function union(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): ReadonlySet<string> | null {
  return a && b ? new Set([...a, ...b]) : null;
}

/** What one connection is in the middle of. */
interface Progress {
  isInTransaction: boolean;
  /** By its open transaction; null: anything. */
  written: ReadonlySet<string> | null;
}

/** As the driver is given it; without values it is a text. */
type Sent = string | { readonly text?: string; readonly name?: string; readonly values?: unknown };

function textOf(statement: Sent): string {
  return (typeof statement === 'string' ? statement : (statement.text ?? '')).trim();
}

const END = /^(commit|rollback)/;

/** Null: it does not stop. Notes what the transaction has written by then. */
function describeStatement(statement: Sent, progress: Progress): PendingStatement | null {
  const text = textOf(statement);
  if (text === 'begin') {
    progress.isInTransaction = true;
    progress.written = new Set();
  }
  if (UNGATED.test(text)) return null;
  const label = typeof statement === 'string' ? text : (statement.name ?? text);
  const name = label || text.slice(0, 40);
  const own = keysOf(label, text, typeof statement === 'string' ? null : statement.values);
  if (!progress.isInTransaction) return { name, kind: 'end', keys: own };
  if (END.test(text)) return { name, kind: 'end', keys: progress.written };
  if (!WRITES.test(text)) return { name, kind: 'read', keys: own };
  progress.written = union(progress.written, own);
  return { name, kind: 'write', keys: own };
}

/** A statement may wait for the other side as long as the scheduler takes, also on a busy machine. */
const PATIENCE_MS = 300_000;

function patiently([statement, ...rest]: readonly unknown[]): unknown[] {
  if (typeof statement !== 'object' || statement === null) return [statement, ...rest];
  return [{ ...statement, query_timeout: PATIENCE_MS }, ...rest];
}

export function makeSide(name: 'A' | 'B'): Side {
  let isGating = false;
  let isOver = false;
  let waiting: Waiting | null = null;
  let pid = 0;
  const end = (): void => {
    isGating = false;
    isOver = true;
  };
  const stop = (pending: PendingStatement): Promise<void> =>
    new Promise((resolve) => {
      waiting = { ...pending, send: resolve };
    });
  return {
    name,
    pending: () => waiting,
    release() {
      const sent = waiting;
      waiting = null;
      sent?.send();
    },
    pid: () => pid,
    isOver: () => isOver,
    run(work, tell) {
      isGating = true;
      isOver = false;
      work()
        .then(
          (value) => tell({ value }),
          (error: unknown) => tell({ error }),
        )
        .finally(end)
        .catch(() => undefined);
    },
    open() {
      isGating = false;
      const sent = waiting;
      waiting = null;
      sent?.send();
    },
    attach(client) {
      const send = client.query.bind(client) as (...values: unknown[]) => Promise<unknown>;
      // The driver's own number of its backend.
      pid = (client as unknown as { processID: number }).processID;
      const progress: Progress = { isInTransaction: false, written: new Set() };
      let last: Promise<unknown> = Promise.resolve();
      const gated = (...values: unknown[]): Promise<unknown> => {
        const [statement] = values as [Sent];
        if (!isGating) return send(...values);
        // In their order: the next one stops when the one before was answered.
        const sent = last.then(async () => {
          const pending = describeStatement(statement, progress);
          if (pending && isGating) await stop(pending);
          if (END.test(textOf(statement))) progress.isInTransaction = false;
          return send(...patiently(values));
        });
        last = sent.catch(() => undefined);
        return sent;
      };
      // The same function with the same overloads, of which the store uses the one that answers a promise.
      client.query = gated as unknown as typeof client.query;
    },
  };
}
