/** The rules of safety that the product itself asks in the background, asked of everything at once. */
import { openDatabase, type Session, autocommit } from '../../../packages/server/src/store/connection.ts';
import { sweepEvents, sweepPromotions } from '../../../packages/server/src/store/invariants/check-invariants.ts';
import { makeMemoryLogger } from '../../../packages/server/test/integration/postgres-fixture.ts';

const PAGE_ROWS = 200;
const EVENTS_PER_ROW = 20;
/** All keys of all requests are compared at once; the servers ask of a few minutes only. */
const PATIENCE_MS = 300_000;

/** `url`: of a role that may read all tables. */
export async function invariantViolations(url: string): Promise<readonly string[]> {
  const patient = `${url}?statement_timeout=${PATIENCE_MS}&query_timeout=${PATIENCE_MS}`;
  const database = openDatabase({ kind: 'url', url: patient }, { logger: makeMemoryLogger() });
  try {
    return await autocommit(database, sweep);
  } finally {
    await database.close();
  }
}

async function sweep(session: Session): Promise<readonly string[]> {
  const found: string[] = [];
  const [row] = await session.rows({ name: '', text: 'select (extract(epoch from now()) * 1000)::bigint as now' });
  const nowMs = Number(row?.['now']);
  for (let after: string | null = ''; after !== null; ) {
    const page = await sweepPromotions(session, nowMs, { after, limit: PAGE_ROWS });
    found.push(...page.violations.map((one) => JSON.stringify(one)));
    after = page.after;
  }
  for (let after: string | null = '0'; after !== null; ) {
    const page = await sweepEvents(session, nowMs, { after: Number(after), limit: PAGE_ROWS * EVENTS_PER_ROW });
    found.push(...page.violations.map((one) => JSON.stringify(one)));
    after = page.after;
  }
  return found;
}
