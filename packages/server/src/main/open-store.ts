/** The database behind everything: embedded or given, brought to this program's schema, opened as the application role. */
import type { ServerConfig } from '../config/server-config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../postgres/embedded-postgres.ts';
import type { Logger } from '../ports/logger.ts';
import { type Database, openDatabase, query } from '../store/connection.ts';
import { migrate, type MigrationReport } from '../store/migrate.ts';
import type { DatabaseAddress } from '../store/primary.ts';
import { makeBatchingSocket } from '../system/batching-socket.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeProcesses } from '../system/node-processes.ts';
import type { Insist } from './database-patience.ts';
import { findNativeDirectory, findUserName, PLATFORM } from './native-postgres.ts';

/** The owner's connections are used at the start only. */
/** An index over ten million events takes minutes, on a slow disk many. */
const MIGRATION_TIMEOUT_MS = 3_600_000;
const OWNER_POOL_SIZE = 1;
/** The worker's loop asks one thing after another, and its lease is renewed beside it. */
const CONTROL_POOL_SIZE = 2;

export interface OpenStore {
  readonly database: Database;
  /** Connections that nothing but the worker's loop uses. */
  readonly control: Database;
  readonly report: MigrationReport;
  readonly isEmbedded: boolean;
  /** Closes the connections, and stops PostgreSQL when it is ours, unless it is kept for the next server. */
  close(options: { readonly keepsDatabase: boolean }): Promise<void>;
}

/** Errors: those of `startEmbeddedPostgres` and of `migrate`. */
export async function openStore(config: ServerConfig, logger: Logger, insist: Insist): Promise<OpenStore> {
  const embedded = config.database === null ? await startEmbedded(config, logger) : null;
  const { owner, app } = addressesOf(config, embedded);
  const database = openDatabase(app, { logger, makeSocket: makeBatchingSocket });
  const control = openDatabase(app, { logger, makeSocket: makeBatchingSocket, poolSize: CONTROL_POOL_SIZE });
  const close: OpenStore['close'] = async ({ keepsDatabase }) => {
    await Promise.all([database.close(), control.close()]);
    await (keepsDatabase ? embedded?.leave() : embedded?.stop());
  };
  try {
    const report = await insist(async () => migrateAs(owner, { logger, appRole: await roleOf(database) }));
    logger.info({ ...report }, 'database is ready');
    return { database, control, report, isEmbedded: embedded !== null, close };
  } catch (error) {
    await close({ keepsDatabase: false });
    throw error;
  }
}

/** The owner's connections are open only for so long. */
async function migrateAs(
  address: DatabaseAddress,
  { logger, appRole }: { readonly logger: Logger; readonly appRole: string },
): Promise<MigrationReport> {
  const owner = openDatabase(address, {
    logger,
    poolSize: OWNER_POOL_SIZE,
    statementTimeoutMs: MIGRATION_TIMEOUT_MS,
  });
  try {
    return await migrate(owner, appRole);
  } finally {
    await owner.close();
  }
}

function startEmbedded({ dataDir }: ServerConfig, logger: Logger): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres(
    {
      fileSystem: nodeFileSystem,
      processes: nodeProcesses,
      clock: nodeClock,
      logger,
      platform: PLATFORM,
      nativeDirectory: findNativeDirectory(),
      uid: process.getuid?.() ?? -1,
      userName: findUserName(),
    },
    dataDir,
  );
}

function addressesOf(
  { database }: ServerConfig,
  embedded: EmbeddedPostgres | null,
): { owner: DatabaseAddress; app: DatabaseAddress } {
  if (database) return { owner: { kind: 'url', url: database.ownerUrl }, app: { kind: 'url', url: database.url } };
  if (!embedded) throw new Error('there is neither a URL nor an embedded database');
  const place = { kind: 'socket', directory: embedded.socketDirectory, database: embedded.databaseName } as const;
  return { owner: { ...place, user: embedded.ownerRole }, app: { ...place, user: embedded.appRole } };
}

async function roleOf(database: Database): Promise<string> {
  const [row] = await query(database, { name: '', text: 'select current_user as role' });
  return String(row?.['role']);
}
