/**
 * A worker's own direct session: idle, never pooled. Others see by it that the process lives (safety L2); losing it
 * means to stop at once. Settings and figures: architecture, "Liveness of workers".
 */
import type pg from 'pg';
import { AppError } from '@stella/domain';
import type { WorkerSession } from '../ports/engine-store.ts';
import { type Database, openDirect } from './connection.ts';

/** Noticed within a second on each side when the other is gone without a word. */
const SETTINGS = [
  'set tcp_keepalives_idle = 1',
  'set tcp_keepalives_interval = 1',
  'set tcp_keepalives_count = 3',
  'set tcp_user_timeout = 2000',
  'set client_connection_check_interval = 250',
  'set idle_in_transaction_session_timeout = 0',
].join('; ');

export interface LivenessSession extends WorkerSession {
  /** Settles when the session is gone. Never rejects. */
  readonly lost: Promise<void>;
  close(): Promise<void>;
}

/** On the primary, as the pool's connections are. Errors: `database.unavailable`. */
export async function openLivenessSession(database: Database): Promise<LivenessSession> {
  const { logger } = database;
  let client: pg.Client | null = null;
  try {
    const opened = await openDirect(database, { application_name: 'stella worker', keepAlive: true });
    const { lost } = opened;
    client = opened.client;
    // Not every setting exists everywhere (TCP ones do nothing on a socket); each is tried alone.
    for (const setting of SETTINGS.split('; ')) {
      await client.query(setting).catch((error: unknown) => logger.debug({ error, setting }, 'setting not taken'));
    }
    const { rows } = await client.query<{ pid: number; backend: string; postmaster: string }>(
      `select pid, backend_start::text as backend, pg_postmaster_start_time()::text as postmaster
       from pg_stat_activity where pid = pg_backend_pid()`,
    );
    const [row] = rows;
    if (!row) throw new Error('pg_stat_activity does not show this session');
    return {
      pid: row.pid,
      backendStart: row.backend,
      postmasterStart: row.postmaster,
      lost,
      close: () => opened.client.end(),
    };
  } catch (error) {
    await client?.end().catch(() => undefined);
    if (error instanceof AppError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new AppError('database.unavailable', { details: { message }, cause: error });
  }
}
