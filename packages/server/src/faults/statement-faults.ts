/**
 * A database whose writing statements and commits pass fault points. Statements are pipelined, so a point is passed just
 * before its statement is handed to the driver and cannot delay it; only what follows a commit waits for its point.
 */
import type pg from 'pg';
import type { Faults } from '../ports/faults.ts';
import { partNames } from '../store/combined-statement.ts';
import type { Database } from '../store/connection.ts';
import { STATEMENT_FAULT_POINTS } from './fault-points.ts';

/** From now on; each connection is prepared when it is taken out of the pool for the first time. */
export function armStatements({ pool }: Database, faults: Faults): void {
  const armed = new WeakSet<pg.PoolClient>();
  pool.on('acquire', (client) => {
    if (armed.has(client)) return;
    armed.add(client);
    arm(client, faults);
  });
}

function arm(client: pg.PoolClient, faults: Faults): void {
  // The only form of `query` that the store uses.
  const send = client.query.bind(client) as (statement: pg.QueryConfig) => Promise<pg.QueryResult>;
  const query = async (statement: pg.QueryConfig): Promise<pg.QueryResult> => {
    const name = statement.name ?? '';
    if (name === 'commit') {
      await faults.hit('sql.commit.before');
      const answer = await send(statement);
      await faults.hit('sql.commit.after');
      return answer;
    }
    for (const part of partNames(name)) {
      if (isListed(part)) void faults.hit(`sql.${part}`);
    }
    return send(statement);
  };
  Object.assign(client, { query });
}

function isListed(statement: string): boolean {
  return (STATEMENT_FAULT_POINTS as readonly string[]).includes(`sql.${statement}`);
}
