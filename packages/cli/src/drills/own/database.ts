/** The PostgreSQL of a drill's own orchestrator, as somebody with a client on its machine reaches it. */
import { dirname, join } from 'node:path';
import pg from 'pg';
import type { DrillPlace } from '../place.ts';

/** The two roles of the embedded PostgreSQL; nobody is its superuser. */
export type Role = 'stella_app' | 'stella_owner';

/** Of the embedded PostgreSQL, which listens on nothing else. */
const PORT = 5_432;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;

/** Where the PostgreSQL of that data directory is reached. */
export function socketOf(dataDir: string): string {
  return join(dataDir, 'run', `.s.PGSQL.${PORT}`);
}

/** A session of its own; whoever opens it closes it. Rejects with the driver's words when it is refused. */
export async function openSession({ own: [first] }: DrillPlace, user: Role): Promise<pg.Client> {
  const session = new pg.Client({
    host: dirname(socketOf(first)),
    port: PORT,
    user,
    database: 'stella',
    application_name: 'psql',
    options: '-c search_path=stella',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
  });
  // Somebody may end it: that is what it is for.
  session.on('error', () => undefined);
  await session.connect();
  return session;
}

/** One statement in a session of its own. */
export async function runSql(place: DrillPlace, user: Role, text: string): Promise<void> {
  const session = await openSession(place, user);
  try {
    await session.query(text);
  } finally {
    await closeSession(session);
  }
}

/** Also one that was ended by somebody else. */
export async function closeSession(session: pg.Client): Promise<void> {
  await session.end().catch(() => undefined);
}
