/** The doctor without an orchestrator, on real processes: stopped, killed, without a database, with a full disk; and cured. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeServerPlace, type ServerPlace, type ServerProcess, startServerProcess, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../src/doctor/run-checks.ts';
import { localControl } from '../../src/main/local-control.ts';
import { examineOffline } from '../../src/main/offline-doctor.ts';
import { PLATFORM } from '../../src/main/native-postgres.ts';
import { APP_ROLE, DATABASE_NAME } from '../../src/postgres/cluster-files.ts';
import { layOut } from '../../src/postgres/layout.ts';
import { stopEmbedded } from '../../src/postgres/left-running.ts';
import { openDatabase, query } from '../../src/store/connection.ts';
import { embeddedDeps, makeMemoryLogger } from './postgres-fixture.ts';

let place: ServerPlace;
let server: ServerProcess;
beforeAll(async () => {
  place = await makeServerPlace();
  server = await startServerProcess(place);
});
afterAll(() => place.remove());

const control = () =>
  localControl({ dataDir: place.dataDir, env: {}, logger: makeMemoryLogger(), tell: () => undefined });

async function examine(
  order: { readonly check?: string; readonly databaseUrl?: string; readonly freeBytes?: number } = {},
): Promise<readonly CheckResult[]> {
  const deps = control();
  const { freeBytes } = order;
  const disk = { bsize: 1, blocks: 1e10, bavail: freeBytes ?? 0 };
  // Of Node's own only these are looked at.
  const statfs = (() => Promise.resolve(disk)) as unknown as typeof deps.embedded.fileSystem.statfs;
  const fileSystem = freeBytes === undefined ? deps.embedded.fileSystem : { ...deps.embedded.fileSystem, statfs };
  return examineOffline(
    { ...deps, embedded: { ...deps.embedded, fileSystem } },
    {
      dataDir: place.dataDir,
      env: {},
      databaseUrl: order.databaseUrl ?? null,
      check: order.check ?? null,
      category: null,
      timeoutMs: 30_000,
      version: '0.1.0-test',
    },
  );
}

const find = (results: readonly CheckResult[], id: string): CheckResult | undefined =>
  results.find((one) => one.id === id);
const orchestrator = async (): Promise<CheckResult | undefined> =>
  (await examine({ check: 'check.machine.orchestrator' }))[0];

describe('the doctor without an orchestrator', () => {
  it('asks all that it can from the database and the machine, and fails nothing where all is well', async () => {
    await waitFor(async () => (await orchestrator())?.status === 'pass', { timeoutMs: 60_000, why: 'it is ready' });
    const results = await examine();
    expect(results.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(find(results, 'check.machine.database')).toMatchObject({ status: 'pass' });
    expect(find(results, 'check.orchestrator.workers')).toMatchObject({ status: 'pass', message: '1 live' });
    expect(find(results, 'check.orchestrator.invariants')).toMatchObject({ status: 'pass' });
    expect(find(results, 'check.config')?.facts).toContainEqual({
      what: 'may reach',
      value: 'not known here: only the orchestrator knows it',
    });
  });

  it('reads by transactions that cannot write', async () => {
    const { socketDirectory } = layOut(place.dataDir, { shortPath: place.dataDir, platform: PLATFORM });
    const address = { kind: 'socket', directory: socketDirectory, user: APP_ROLE, database: DATABASE_NAME } as const;
    const database = openDatabase(address, { logger: makeMemoryLogger(), isReadOnly: true });
    const write = { name: '', text: "insert into workers (id, hostname, version) values ('a', 'b', 'c')" };
    await expect(query(database, write)).rejects.toThrow('read-only transaction');
    await database.close();
  });

  it('finds one that is stopped, and the printed command lets it go on', async () => {
    process.kill(server.pid, 'SIGSTOP');
    const stopped = await orchestrator();
    expect(stopped).toMatchObject({ status: 'fail', message: `pid ${server.pid} is stopped (SIGSTOP)` });
    expect(stopped?.remedy?.command).toBe(`kill -CONT ${server.pid}`);
    process.kill(server.pid, 'SIGCONT');
    await waitFor(async () => (await orchestrator())?.status !== 'fail', { timeoutMs: 60_000, why: 'it goes on' });
  });

  it('finds one that was killed, and still asks the database that it left', async () => {
    await server.kill();
    const results = await examine();
    expect(find(results, 'check.machine.orchestrator')).toMatchObject({
      status: 'fail',
      message: 'it does not run',
      remedy: { command: 'stella service start orchestrator' },
    });
    expect(find(results, 'check.machine.database')).toMatchObject({ status: 'pass' });
    expect(find(results, 'check.storage.postgres')).toMatchObject({ status: 'pass' });
  });

  it('says why the database is down, what cures it, and what it could not ask', async () => {
    await stopEmbedded(embeddedDeps(), place.dataDir);
    const down = await examine();
    expect(find(down, 'check.machine.database')).toMatchObject({
      status: 'fail',
      message: 'PostgreSQL does not run',
      remedy: { command: 'stella service start orchestrator' },
    });
    expect(find(down, 'check.orchestrator.job-health')).toMatchObject({ status: 'skip' });
    expect(find(down, 'check.network')).toMatchObject({ status: 'skip' });
    expect(find(down, 'check.storage.disk')?.status).not.toBe('skip');
    const line = '2026-01-01 UTC [7] FATAL:  could not write lock file "postmaster.pid": No space left on device';
    await appendFile(join(place.dataDir, 'postgres.log'), `${line}\n`);
    const full = await examine({ freeBytes: 4_096 });
    expect(find(full, 'check.machine.database')).toMatchObject({
      status: 'fail',
      message: 'PostgreSQL does not run: its disk is full',
    });
    expect(find(full, 'check.machine.log')).toMatchObject({ status: 'warn', message: line });
    expect(find(full, 'check.storage.disk')).toMatchObject({ status: 'fail' });
  });

  it('never tells the password of a database that does not answer', async () => {
    const results = await examine({ databaseUrl: 'postgres://stella:verysecret@127.0.0.1:1/stella' });
    expect(find(results, 'check.machine.database')).toMatchObject({ status: 'fail' });
    expect(JSON.stringify(results)).not.toContain('verysecret');
  });

  it('passes again once it is started as it said', async () => {
    server = await startServerProcess(place);
    const failing = async (): Promise<readonly CheckResult[]> =>
      (await examine()).filter(({ status }) => status === 'fail');
    await waitFor(async () => (await failing()).length === 0, { timeoutMs: 60_000, why: 'nothing fails any more' });
    expect(await orchestrator()).toMatchObject({ status: 'pass' });
  });
});
