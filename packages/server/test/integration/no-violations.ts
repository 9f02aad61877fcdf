/** After the tests of a file: whatever they did to the server, no row of its database breaks a rule of `docs/safety.md`. */
import { join } from 'node:path';
import type { ServerPlace } from '@stella/testkit';
import { expect } from 'vitest';
import { autocommit, openDatabase, type Session } from '../../src/store/connection.ts';
import { checkEverything } from '../../src/store/invariants/check-invariants.ts';
import { makeMemoryLogger } from './postgres-fixture.ts';

const NOW = { name: '', text: 'select (extract(epoch from clock_timestamp()) * 1000)::bigint as now' };

/** While the place's PostgreSQL runs. */
export async function expectNoViolations({ dataDir }: ServerPlace): Promise<void> {
  const address = { kind: 'socket', directory: join(dataDir, 'run'), user: 'stella_app', database: 'stella' } as const;
  const database = openDatabase(address, { logger: makeMemoryLogger(), poolSize: 1 });
  try {
    expect(await autocommit(database, look)).toEqual([]);
  } finally {
    await database.close();
  }
}

async function look(session: Session): ReturnType<typeof checkEverything> {
  const [row] = await session.rows(NOW);
  return checkEverything(session, Number(row?.['now']));
}
