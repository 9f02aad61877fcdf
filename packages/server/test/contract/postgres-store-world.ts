/**
 * The contract's place on a real PostgreSQL. Its clock is the test's: `now()` and `clock_timestamp()` of the statements
 * are found in a schema `clock` before those of PostgreSQL, by the search path of these connections alone. Statements,
 * tables, triggers and roles are the product's own.
 */
import { STANDARD_SETTINGS } from '@stella/domain';
import { makeSeededIds, TEST_EPOCH_MS, waitFor } from '@stella/testkit';
import type pg from 'pg';
import { type Database, openDatabase, openDirect } from '../../src/store/connection.ts';
import { makeImmutableRows } from '../../src/store/immutable-rows.ts';
import { openLivenessSession } from '../../src/store/liveness-session.ts';
import { migrate } from '../../src/store/migrate.ts';
import { makeCommandStore } from '../../src/store/postgres-command-store.ts';
import { makeDebtStore } from '../../src/store/postgres-debt-store.ts';
import { makeEngineStore, type StoreOptions } from '../../src/store/postgres-engine-store.ts';
import { makeNotificationStore } from '../../src/store/postgres-notification-store.ts';
import { makeObservationStore } from '../../src/store/postgres-observation-store.ts';
import { makeProbeStore } from '../../src/store/postgres-probe-store.ts';
import { makeSequencerStore } from '../../src/store/postgres-sequencer-store.ts';
import type { DatabaseAddress } from '../../src/store/primary.ts';
import { makeMemoryLogger } from '../integration/postgres-fixture.ts';
import { dumpPostgres } from './postgres-dump.ts';
import type { StoreControl, StoreWorld } from './store-world.ts';

const SEED = 1;
const SESSION_TIMEOUT_MS = 20_000;

/** Read by every statement that asks for the time. One row. */
const CLOCK = `
drop schema if exists clock cascade;
create schema clock;
create table clock.instant (at timestamptz not null);
insert into clock.instant values (to_timestamp(${TEST_EPOCH_MS / 1_000}));
create function clock.now() returns timestamptz language sql stable as 'select at from clock.instant';
create function clock.clock_timestamp() returns timestamptz language sql volatile as 'select at from clock.instant';
grant usage on schema clock to public;
grant select on clock.instant to public;
`;

export interface PostgresAddresses {
  readonly owner: DatabaseAddress;
  readonly app: DatabaseAddress;
  /** Name of the application's role. */
  readonly appRole: string;
}

export interface PostgresStoreWorld extends StoreWorld {
  /** Whose `now()` is the test's. */
  readonly database: Database;
}

export async function openPostgresStoreWorld({ owner, app, appRole }: PostgresAddresses): Promise<PostgresStoreWorld> {
  const migrating = openDatabase(owner, { logger: makeMemoryLogger(), poolSize: 1 });
  await migrate(migrating, appRole);
  await migrating.close();
  const { client: admin } = await openDirect(migrating, {});
  await admin.query(CLOCK);
  await admin.query('set synchronous_commit = off');
  const losing = { isNext: false };
  const database = openWithClock(app, losing);
  const clock = { nowMs: TEST_EPOCH_MS };
  const sessions = new Set<{ close(): Promise<void> }>();
  let ids = makeSeededIds(SEED, () => clock.nowMs);
  const cache = makeImmutableRows();
  const options: StoreOptions = { ids: { next: (prefix) => ids.next(prefix) }, settings: STANDARD_SETTINGS, cache };
  const tick = (toMs: number): Promise<unknown> => {
    clock.nowMs = toMs;
    return admin.query('update clock.instant set at = to_timestamp($1::double precision / 1000)', [toMs]);
  };
  const control: StoreControl = {
    nowMs: () => clock.nowMs,
    pass: async (durationMs) => void (await tick(clock.nowMs + durationMs)),
    openSession: async () => {
      const session = await openLivenessSession(database);
      sessions.add(session);
      return {
        session: { pid: session.pid, backendStart: session.backendStart, postmasterStart: session.postmasterStart },
        end: async () => {
          sessions.delete(session);
          await session.close();
          await untilGone(admin, session.pid);
        },
      };
    },
    loseNextCommit: () => {
      losing.isNext = true;
    },
    reset: async () => {
      losing.isNext = false;
      for (const session of sessions) await session.close();
      sessions.clear();
      await emptyTables(admin);
      cache.definitions.clear();
      cache.releases.clear();
      await tick(TEST_EPOCH_MS);
      ids = makeSeededIds(SEED, () => clock.nowMs);
    },
    dump: () => dumpPostgres(admin),
  };
  return {
    engine: makeEngineStore(database, options),
    commands: makeCommandStore(database, options),
    debts: makeDebtStore(database, options),
    notifications: makeNotificationStore(database, options),
    observations: makeObservationStore(database, options),
    probes: makeProbeStore(database),
    sequencer: makeSequencerStore(database),
    ids: options.ids,
    control,
    database,
    close: async () => {
      for (const session of sessions) await session.close();
      await database.close();
      await admin.end();
    },
  };
}

function openWithClock(address: DatabaseAddress, losing: { isNext: boolean }): Database {
  const database = openDatabase(address, { logger: makeMemoryLogger() });
  database.pool.on('connect', (client) => {
    // Sent before whatever the connection is used for; an error fails that, too.
    client.query('set search_path = clock, stella, pg_catalog, pg_temp').catch(() => undefined);
    client.query('set synchronous_commit = off').catch(() => undefined);
    const send = client.query.bind(client) as (...values: unknown[]) => unknown;
    const losingSend = (...values: unknown[]): unknown => {
      const sent = send(...values);
      // The statements of the store are objects with a text.
      const [first] = values as [{ text?: string } | undefined];
      if (!losing.isNext || first?.text !== 'commit') return sent;
      losing.isNext = false;
      // Without a callback the driver answers a promise.
      return (sent as Promise<unknown>).then(() => {
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      });
    };
    // The same function with the same overloads.
    client.query = losingSend as typeof client.query;
  });
  return database;
}

/** The session is seen to be gone by whoever looks from now on. */
async function untilGone(admin: pg.Client, pid: number): Promise<void> {
  const isGone = async (): Promise<boolean> => {
    const { rowCount } = await admin.query('select from pg_stat_activity where pid = $1', [pid]);
    return rowCount === 0;
  };
  await waitFor(isGone, { timeoutMs: SESSION_TIMEOUT_MS, why: 'the session has ended' });
}

/** As the owner, who may. Deleting is far quicker than truncating tables of a few rows. */
async function emptyTables(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query<{ name: string; refers: string[] }>(
    `select t.tablename as name, array(select c.confrelid::regclass::text from pg_constraint c
       where c.conrelid = format('stella.%I', t.tablename)::regclass and c.contype = 'f') as refers
     from pg_tables t
     where t.schemaname = 'stella' and t.tablename not in ('schema_migrations', 'installation', 'chain_head', 'audit_progress')`,
  );
  const left = new Map(rows.map(({ name, refers }) => [name, refers.map((text) => text.replace('stella.', ''))]));
  const deletes: string[] = [];
  while (left.size > 0) {
    // What no other table that is still full refers to.
    const free = [...left.keys()].filter((name) =>
      [...left].every(([other, refers]) => other === name || !refers.includes(name)),
    );
    if (free.length === 0) throw new Error(`tables refer to each other in a circle: ${[...left.keys()].join(', ')}`);
    for (const name of free) {
      left.delete(name);
      deletes.push(`delete from stella.${name}`);
    }
  }
  await admin.query(
    `begin; ${deletes.join('; ')}; update stella.chain_head set seq = 0, chain_hash = null; update stella.installation set epoch = 1;
     select setval(format('stella.%I', sequencename)::regclass, 1, false) from pg_sequences where schemaname = 'stella';
     commit`,
  );
}
