/**
 * Brings the database to this program's schema. Runs with the owner's rights, in one transaction under a lock, so that
 * any number of servers may start at once. Also notices when the database was replaced under us: then the installation
 * epoch is raised, so that fences drawn before never win, and what every environment runs is unknown (safety S2).
 */
import { type Actor, AppError, chainEvents, type EventDraft } from '@stella/domain';
import { type Database, query, type Session, type Statement, transact } from './connection.ts';
import { insertEvents } from './event-rows.ts';
import { MIGRATIONS, grantsFor } from './migrations/migrations.ts';

const VERSION_MIN = 15;
const VERSION_MAX = 18;

/** "stella" in ASCII, as a number: the key of the transaction's advisory lock. */
const MIGRATION_LOCK_KEY = 0x73_74_65_6c_6c_61;

const SYSTEM: Actor = { kind: 'system', name: 'server' };

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
    const { epoch, wasReplaced } = await checkInstallation(session);
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

async function checkInstallation(session: Session): Promise<{ epoch: number; wasReplaced: boolean }> {
  const [now] = await session.rows(
    anonymous(
      `select s.system_identifier::text as system, c.timeline_id::bigint as timeline
       from pg_control_system() s, pg_control_checkpoint() c`,
    ),
  );
  const [known] = await session.rows(anonymous('select * from installation'));
  if (!known) {
    await session.rows(anonymous('insert into installation (epoch, system_identifier, timeline) values (1, $1, $2)'), [
      now?.['system'],
      now?.['timeline'],
    ]);
    return { epoch: 1, wasReplaced: false };
  }
  const epoch = Number(known['epoch']);
  if (known['system_identifier'] === now?.['system'] && known['timeline'] === now?.['timeline']) {
    return { epoch, wasReplaced: false };
  }
  await session.rows(anonymous('update installation set epoch = $1, system_identifier = $2, timeline = $3'), [
    epoch + 1,
    now?.['system'],
    now?.['timeline'],
  ]);
  await doubtEnvironments(session, epoch + 1);
  return { epoch: epoch + 1, wasReplaced: true };
}

async function doubtEnvironments(session: Session, epoch: number): Promise<void> {
  const rows = await session.rows(
    anonymous(
      `update environments set state = 'unknown' where state not in ('unknown', 'empty')
       returning name, (extract(epoch from now()) * 1000)::bigint as now_ms`,
    ),
  );
  const drafts = rows.map(
    (row): EventDraft => ({
      type: 'environment.state_changed',
      actor: SYSTEM,
      atMs: Number(row['now_ms']),
      promotionId: null,
      subject: String(row['name']),
      data: { state: 'unknown', installationEpoch: epoch },
    }),
  );
  await insertEvents(session, chainEvents({ head: null, length: 0 }, drafts).events);
}

function anonymous(text: string): Statement {
  return { name: '', text };
}
