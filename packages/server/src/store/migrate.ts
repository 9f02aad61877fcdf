/**
 * Brings the database to this program's schema. Runs with the owner's rights, in one transaction under a lock, so that
 * any number of servers may start at once. Also notices when the database was replaced under us (`installation.ts`).
 */
import { AppError } from '@stella/domain';
import { type Database, query, type Session, type Statement, transact } from './connection.ts';
import { CURRENT_INSTALLATION, renewInstallation } from './installation.ts';
import { MIGRATIONS, grantsFor } from './migrations/migrations.ts';

const VERSION_MIN = 15;
const VERSION_MAX = 18;

/** "stella" in ASCII, as a number: the key of the transaction's advisory lock. */
const MIGRATION_LOCK_KEY = 0x73_74_65_6c_6c_61;

export interface MigrationReport {
  readonly databaseVersion: string;
  /** The newest migration that is applied. */
  readonly schemaVersion: number;
  readonly appliedCount: number;
  readonly installationEpoch: number;
  /** The database is another one than at the last start. */
  readonly wasReplaced: boolean;
}

/** `appRole` may be the owner itself. Errors: `database.version`, `database.schema_newer`, `database.unavailable`. */
export async function migrate(owner: Database, appRole: string): Promise<MigrationReport> {
  const databaseVersion = await checkVersion(owner);
  return transact(owner, async (session) => {
    await session.rows(anonymous('select pg_advisory_xact_lock($1)'), [MIGRATION_LOCK_KEY]);
    const appliedCount = await applyMigrations(session);
    await grant(session, appRole);
    const { epoch, wasReplaced } = await ensureInstallation(session);
    return { databaseVersion, schemaVersion: MIGRATIONS.length, appliedCount, installationEpoch: epoch, wasReplaced };
  });
}

async function checkVersion(owner: Database): Promise<string> {
  const [row] = await query(owner, anonymous("select current_setting('server_version') as version"));
  const version = String(row?.['version']);
  const major = Number.parseInt(version, 10);
  if (major >= VERSION_MIN && major <= VERSION_MAX) return version;
  throw new AppError('database.version', { details: { found: version } });
}

async function applyMigrations(session: Session): Promise<number> {
  await session.rows(anonymous('create schema if not exists stella'));
  await session.rows(
    anonymous(
      `create table if not exists stella.schema_migrations (
         version bigint primary key, name text not null, applied_at timestamptz not null default now())`,
    ),
  );
  const [row] = await session.rows(
    anonymous('select coalesce(max(version), 0) as version from stella.schema_migrations'),
  );
  const found = Number(row?.['version'] ?? 0);
  if (found > MIGRATIONS.length) {
    throw new AppError('database.schema_newer', { details: { found, known: MIGRATIONS.length } });
  }
  const missing = MIGRATIONS.slice(found);
  for (const [index, migration] of missing.entries()) {
    await session.rows(anonymous(migration.sql), null);
    await session.rows(anonymous('insert into stella.schema_migrations (version, name) values ($1, $2)'), [
      found + index + 1,
      migration.name,
    ]);
  }
  return missing.length;
}

async function grant(session: Session, appRole: string): Promise<void> {
  const [row] = await session.rows(anonymous('select current_user as owner, quote_ident($1) as app'), [appRole]);
  if (row?.['owner'] === appRole) return;
  await session.rows(anonymous(grantsFor(String(row?.['app']))), null);
}

async function ensureInstallation(session: Session): Promise<{ epoch: number; wasReplaced: boolean }> {
  const [known] = await session.rows(anonymous('select epoch from installation'));
  if (!known) {
    await session.rows(
      anonymous(
        `insert into installation (epoch, system_identifier, timeline)
         select 1, n.system, n.timeline from (${CURRENT_INSTALLATION}) n`,
      ),
    );
    return { epoch: 1, wasReplaced: false };
  }
  const renewed = await renewInstallation(session);
  return { epoch: renewed ?? Number(known['epoch']), wasReplaced: renewed !== null };
}

function anonymous(text: string): Statement {
  return { name: '', text };
}
