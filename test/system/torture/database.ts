/** Questions to the database from outside of the product, as its owner; it may be away at any moment. */
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 5_000;
/** At the end, when everything is compared with everything. */
const DEMAND_TIMEOUT_MS = 300_000;
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
    options: '-c search_path=stella',
    application_name: 'witness',
  });
  // A killed backend ends connections that nobody is using.
  pool.on('error', () => undefined);
  const query = async <Row extends Record<string, unknown>>(
    text: string,
    values: readonly unknown[],
    timeoutMs: number,
  ): Promise<readonly Row[]> => {
    // The driver reads the deadline of a single query; its types do not know it.
    const question = { text, values: [...values], query_timeout: timeoutMs };
    return (await pool.query<Row>(question)).rows;
  };
  return {
    demand: (text, values = []) => query(text, values, DEMAND_TIMEOUT_MS),
    ask: (text, values = []) => query<never>(text, values, QUERY_TIMEOUT_MS).catch(() => null),
    close: () => pool.end(),
  };
}
