/**
 * Connections to PostgreSQL. Every wait has a deadline: to connect, to get a connection of the pool, to run a statement,
 * to get a lock, to leave a transaction idle. Statements of a connection are pipelined: sent without waiting for the
 * ones before, answered in order.
 */
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { AppError } from '@stella/domain';
import type { Logger } from '../ports/logger.ts';
import { type DatabaseAddress, type DatabaseHost, makePrimary, type Primary } from './primary.ts';

/** Connections of one process: 10 to 20 serve 100 callers best (architecture, "Storage rules"). */
const POOL_SIZE = 12;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 5_000;
/** Less than the one for locks: who waits for what a hanging process holds gets it rather than an error. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 4_000;
/** A little more than the statement's own: when the server no longer answers at all. */
const QUERY_TIMEOUT_MARGIN_MS = 2_000;

export interface Database {
  readonly pool: pg.Pool;
  readonly primary: Primary;
  readonly logger: Logger;
  /** Each statement is of a transaction that can only read. */
  readonly isReadOnly: boolean;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly logger: Logger;
  /** Of each connection; Node's own without. */
  readonly makeSocket?: () => Duplex;
  readonly poolSize?: number;
  /** Of one statement; the one of a server's work without. */
  readonly statementTimeoutMs?: number;
  readonly isReadOnly?: boolean;
}

export function openDatabase(address: DatabaseAddress, options: DatabaseOptions): Database {
  const { logger, makeSocket, poolSize = POOL_SIZE, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const isReadOnly = options.isReadOnly === true;
  const primary = makePrimary(address, logger);
  /** To the host that is the primary at the moment when the pool needs one more. */
  class PooledClient extends pg.Client {
    constructor() {
      const host = primary.current();
      super({
        ...CLIENT_CONFIG,
        ...timeoutsOf(statementTimeoutMs),
        ...host.config,
        ...(makeSocket && { stream: makeSocket }),
      });
      HOSTS.set(this, host);
      // The pool listens only while it holds the connection; whoever uses it meanwhile gets the error by his statement.
      this.on('error', (error) => logger.debug({ error, host: host.name }, 'a database connection broke'));
    }
  }
  const pool = new pg.Pool({
    Client: PooledClient,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    max: poolSize,
    // Every connection of the pool stays: opening one costs more than keeping it.
    min: 0,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: false,
  });
  // An idle connection that breaks is dropped by the pool; without a listener it would end the process.
  pool.on('error', (error) => logger.warn({ error }, 'an idle database connection broke'));
  return { pool, primary, logger, isReadOnly, close: () => pool.end() };
}

/** Host of each connection of a pool. */
const HOSTS = new WeakMap<object, DatabaseHost>();
/** Connections whose host said that it takes writes. */
const CHECKED = new WeakSet<object>();

/** The server ends a statement that takes too long; the client gives up soon after, should the server not answer at all. */
function timeoutsOf(statementTimeoutMs: number): pg.ClientConfig {
  return { statement_timeout: statementTimeoutMs, query_timeout: statementTimeoutMs + QUERY_TIMEOUT_MARGIN_MS };
}

const CLIENT_CONFIG: pg.ClientConfig = {
  application_name: 'stella',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  ...timeoutsOf(STATEMENT_TIMEOUT_MS),
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  options:
    '-c search_path=stella,pg_temp -c TimeZone=UTC -c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off',
  pipeline: true,
  types: { getTypeParser },
};

/**
 * A connection of its own to the primary, outside of the pool. `config` goes over what all connections have. `lost`
 * settles when the connection is gone, and never rejects.
 */
export function openDirect(
  { primary, logger }: Pick<Database, 'primary' | 'logger'>,
  config: pg.ClientConfig,
): Promise<{ readonly client: pg.Client; readonly lost: Promise<void> }> {
  return primary.use(async (host) => {
    const client = new pg.Client({ ...CLIENT_CONFIG, ...host.config, ...config });
    const lost = new Promise<void>((resolve) => {
      client.on('error', (error) => {
        logger.warn({ error, host: host.name }, 'a session of its own broke');
        resolve();
      });
      client.on('end', () => resolve());
    });
    try {
      await client.connect();
      await primary.check(client, host);
      return { client, lost };
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
  });
}

type Row = Record<string, unknown>;

/** Serialization failure and deadlock: the transaction was rolled back so that another could go on. */
const VICTIM_STATES: ReadonlySet<string> = new Set(['40001', '40P01']);
/** It did not get a lock, or did not end, within its deadline: another time it may. */
const DEADLINE_STATES: ReadonlySet<string> = new Set(['55P03', '57014']);
/** Two transactions that give each other up so often do not do it by chance. */
const VICTIM_RETRIES_MAX = 3;

/** A statement with a name is prepared once per connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Sends statements on one connection, inside one transaction. */
export interface Session {
  /** Rows of one statement; calls made without waiting in between are pipelined. */
  rows(statement: Statement, values?: readonly unknown[] | null): Promise<readonly Row[]>;
  /** Number of rows that the statement touched. */
  count(statement: Statement, values?: readonly unknown[]): Promise<number>;
}

const BEGIN: Statement = { name: 'begin', text: 'begin' };
const BEGIN_READ_ONLY: Statement = { name: 'begin_read_only', text: 'begin read only' };
const COMMIT: Statement = { name: 'commit', text: 'commit' };
const ROLLBACK: Statement = { name: 'rollback', text: 'rollback' };

/**
 * Runs `work` in one transaction. It commits when `work` resolves and rolls back when it throws. Writes of `work` need
 * not be awaited one by one: an error of any of them makes the commit answer ROLLBACK, which throws here.
 * One that PostgreSQL gave up for another is repeated: nothing of it was written (safety S17). Errors of the connection
 * become `database.unavailable`; then it is not known whether the commit happened.
 */
export async function transact<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  for (let retry = 0; retry < VICTIM_RETRIES_MAX; retry += 1) {
    try {
      return await transactOnce(database, work);
    } catch (error) {
      if (!VICTIM_STATES.has(sqlState(error) ?? '')) throw error;
      database.logger.warn({ error, retry }, 'a transaction was given up for another one and is repeated');
    }
  }
  return transactOnce(database, work);
}

async function transactOnce<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  const client = await connect(database);
  let isBroken = false;
  try {
    const begun = sessionOf(client).rows(database.isReadOnly ? BEGIN_READ_ONLY : BEGIN);
    const [result] = await Promise.all([work(sessionOf(client)), begun]);
    const committed = await client.query({ ...COMMIT });
    if (committed.command !== 'COMMIT') throw new Error('the transaction was rolled back at its commit');
    return result;
  } catch (error) {
    const isUsable = await rollback(client);
    isBroken = !isUsable || isConnectionError(error);
    throw toStoreError(error);
  } finally {
    client.release(isBroken);
  }
}

/** Marks a statement that is awaited later: should another fail first, its error is not reported as unheard. */
export function pipelined<T>(sent: Promise<T>): Promise<T> {
  sent.catch(() => undefined);
  return sent;
}

/** Each statement of `work` is its own transaction: for reads, and for a single write. */
export async function autocommit<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  if (database.isReadOnly) return transactOnce(database, work);
  const client = await connect(database);
  let isBroken = false;
  try {
    return await work(sessionOf(client));
  } catch (error) {
    isBroken = isConnectionError(error);
    throw toStoreError(error);
  } finally {
    client.release(isBroken);
  }
}

/** One statement, its own transaction. */
export function query(
  database: Database,
  statement: Statement,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  return autocommit(database, (session) => session.rows(statement, values));
}

async function connect({ pool, primary }: Database): Promise<pg.PoolClient> {
  try {
    return await primary.use(async (host) => takeConnection(pool, primary, host));
  } catch (error) {
    throw toStoreError(error, true);
  }
}

/**
 * A statement that waits for a lock ends within this time when our process has died: it may hold the row of a promotion
 * that others want to take over (safety L2). Without it PostgreSQL looks only when the statement is done.
 */
const NOTICE_OUR_END = `select set_config('client_connection_check_interval', '250ms', false)`;

/** Connections to a host that is no longer the primary are closed on the way. */
async function takeConnection(pool: pg.Pool, primary: Primary, host: DatabaseHost): Promise<pg.PoolClient> {
  for (let taken = 0; taken <= POOL_SIZE; taken += 1) {
    const client = await pool.connect();
    if ((HOSTS.get(client) ?? host) !== host) {
      client.release(true);
      continue;
    }
    if (CHECKED.has(client)) return client;
    try {
      // Not every server can (Windows); what it says is answered before the check.
      client.query({ text: NOTICE_OUR_END }).catch(() => undefined);
      await primary.check(client, host);
    } catch (error) {
      client.release(true);
      throw error;
    }
    CHECKED.add(client);
    return client;
  }
  throw new Error(`the pool holds only connections to hosts other than ${host.name}`);
}

async function rollback(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query({ ...ROLLBACK });
    return true;
  } catch {
    // The connection is gone, and the transaction with it.
    return false;
  }
}

function sessionOf(client: pg.ClientBase): Session {
  const send = (statement: Statement, values: readonly unknown[] | null = []): Promise<pg.QueryResult<Row>> => {
    // Without values the simple protocol is used, which takes several statements at once.
    const sent = client.query<Row>(values === null ? { text: statement.text } : { ...statement, values: [...values] });
    // A pipelined statement may fail while nobody waits for it yet; whoever asked still gets the error.
    sent.catch(() => undefined);
    return sent;
  };
  return {
    rows: async (statement, values) => (await send(statement, values)).rows,
    count: async (statement, values) => (await send(statement, values)).rowCount ?? 0,
  };
}

/**
 * Class 08, 57P0x and socket errors: the connection or the server is gone. 25006: it takes no writes any more. 25P03 and
 * 25P04: the server ended it, because it was idle in a transaction or the transaction lasted too long.
 */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: string };
  if (code === undefined) return /timeout|terminated|Connection|not queryable/i.test(error.message);
  return /^(08|57P0|53|25006|25P0[34])/.test(code) || /^E[A-Z]+$/.test(code);
}

export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

function toStoreError(error: unknown, isConnecting = false): unknown {
  if (error instanceof AppError) return error;
  if (isConnecting || isConnectionError(error) || DEADLINE_STATES.has(sqlState(error) ?? '')) {
    const message = error instanceof Error ? error.message : String(error);
    return new AppError('database.unavailable', { details: { message }, cause: error });
  }
  return error;
}

const INT8 = 20;
const JSON_TYPE = 114;
const JSONB_TYPE = 3802;
const TIMESTAMPTZ = 1184;

/** `bigint` as number (all of ours are below 2^53) and `timestamptz` as Unix milliseconds. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return parseInstant;
  if (oid === JSON_TYPE || oid === JSONB_TYPE) return JSON.parse;
  return pg.types.getTypeParser(oid, format);
}

/** `2026-01-02 03:04:05.678+00` (sessions are in UTC) → Unix milliseconds, microseconds cut. */
export function parseInstant(text: string): number {
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11, 23).replace(/\+.*$/, '')}Z`);
}
