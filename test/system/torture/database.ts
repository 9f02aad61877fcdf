/** Questions to the database from outside of the product, as its owner; it may be away at any moment. */
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 5_000;
const POOL_SIZE = 6;

export interface Witness {
  /** Null while the database does not answer. */
  ask<Row extends Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<readonly Row[] | null>;
  /** As `ask`; throws when it does not answer. */
  demand<Row extends Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  close(): Promise<void>;
}

export function openWitness(url: string): Witness {
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    options: '-c search_path=stella',
    application_name: 'witness',
  });
  // A killed backend ends connections that nobody is using.
  pool.on('error', () => undefined);
  const demand = async <Row extends Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Row[]> => (await pool.query<Row>(text, [...values])).rows;
  return {
    demand,
    ask: (text, values) => demand<never>(text, values).catch(() => null),
    close: () => pool.end(),
  };
}
