/** Several hosts in the database's URL, on real servers of Debian: which one is used, before and after a fail-over. */
import { type DebianPostgres, hasDebianPostgres, startDebianPostgres, waitFor } from '@stella/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase, query, transact } from '../../packages/server/src/store/connection.ts';
import { openLivenessSession } from '../../packages/server/src/store/liveness-session.ts';
import { migrate } from '../../packages/server/src/store/migrate.ts';
import { makeMemoryLogger } from '../../packages/server/test/integration/postgres-fixture.ts';

const SWITCH_TIMEOUT_MS = 60_000;
const PORT = { name: '', text: `select current_setting('port')::int as port` };

const servers: DebianPostgres[] = [];
const databases: Database[] = [];

async function start(settings: readonly string[] = []): Promise<DebianPostgres> {
  const server = await startDebianPostgres(settings);
  servers.push(server);
  return server;
}

async function standbyOf(primary: DebianPostgres, name = 'standby'): Promise<DebianPostgres> {
  const standby = await primary.makeStandby(name);
  servers.push(standby);
  return standby;
}

function open(hosts: readonly DebianPostgres[], user = 'stella_app'): Database {
  const list = hosts.map(({ address }) => address).join(',');
  const address = { kind: 'url', url: `postgresql://${user}@${list}/stella?target_session_attrs=read-write` } as const;
  const database = openDatabase(address, { logger: makeMemoryLogger() });
  databases.push(database);
  return database;
}

const portOf = async (database: Database): Promise<unknown> => (await query(database, PORT))[0]?.['port'];

afterEach(async () => {
  for (const database of databases.splice(0)) await database.close();
  for (const server of servers.splice(0)) await server.remove();
});

if (!hasDebianPostgres()) {
  describe('several hosts', () => {
    it.skip('missing component: postgresql-15 (tools/install-system-deps.sh installs it)', () => undefined);
  });
} else {
  describe('several hosts in the URL', () => {
    it('lead to the primary, wherever it stands in the list, also for migrations and the session of a worker', async () => {
      const primary = await start();
      const standby = await standbyOf(primary);
      expect(await portOf(open([standby, primary]))).toBe(primary.port);
      expect(await portOf(open([primary, standby]))).toBe(primary.port);
      expect(await migrate(open([standby, primary], 'postgres'), 'stella_app')).toMatchObject({ installationEpoch: 1 });
      const session = await openLivenessSession(open([standby, primary]));
      const seen = await primary.sql(`select count(*) from pg_stat_activity where pid = ${session.pid}`);
      await session.close();
      expect(seen).toBe('1');
    });

    it('are asked again after a fail-over: pool and session find the promoted standby by themselves', async () => {
      const primary = await start();
      const standby = await standbyOf(primary);
      const database = open([primary, standby]);
      // Several connections to the old one, which must not be used any more.
      await Promise.all(Array.from({ length: 5 }, () => portOf(database)));
      const session = await openLivenessSession(database);
      await primary.kill();
      await session.lost;
      // The first to ask may still get a connection whose end the pool has not seen.
      await waitFor(
        () =>
          portOf(database).then(
            () => false,
            (error: unknown) => String(error).includes(`${standby.address} is a standby`),
          ),
        { timeoutMs: SWITCH_TIMEOUT_MS, why: 'the error names the standby' },
      );
      await standby.promote();
      await waitFor(
        () =>
          portOf(database).then(
            (port) => port === standby.port,
            () => false,
          ),
        {
          timeoutMs: SWITCH_TIMEOUT_MS,
          why: 'the pool uses the promoted standby',
        },
      );
      const next = await openLivenessSession(database);
      expect(await standby.sql(`select count(*) from pg_stat_activity where pid = ${next.pid}`)).toBe('1');
      await next.close();
    });

    it('name what each of them said when none takes writes', async () => {
      const primary = await start();
      const standby = await standbyOf(primary);
      await primary.stop();
      const refused = portOf(open([primary, standby]));
      await expect(refused).rejects.toMatchObject({ code: 'database.unavailable' });
      await expect(refused).rejects.toThrow(
        new RegExp(`${primary.address} does not answer \\(.*ECONNREFUSED.*\\); ${standby.address} is a standby`),
      );
    });

    it('lead to the newest timeline when an old primary came back beside its successor', async () => {
      const old = await start();
      const standby = await standbyOf(old);
      await old.kill();
      await standby.promote();
      await old.start();
      expect(await portOf(open([old, standby]))).toBe(standby.port);
    });
  });

  describe('one host', () => {
    it('that is a primary which only reads is told as such, at the start and in the middle of work', async () => {
      const server = await start();
      const database = open([server]);
      expect(await portOf(database)).toBe(server.port);
      await server.sql(`alter system set default_transaction_read_only = on`);
      await server.sql('select pg_reload_conf()');
      await expect(portOf(open([server]))).rejects.toMatchObject({
        code: 'database.unavailable',
        details: { message: `${server.address} is a primary that only reads (default_transaction_read_only is on)` },
      });
      const write = { name: '', text: 'create sequence stella_s' };
      const writing = transact(database, (session) => session.rows(write));
      await expect(writing).rejects.toMatchObject({ code: 'database.unavailable' });
    });
  });
}
