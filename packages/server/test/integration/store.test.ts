/** The stores on a real database: what two writers do to each other, and what is not there. */
import { Socket } from 'node:net';
import { join } from 'node:path';
import { digestOf, makeIds, STANDARD_SETTINGS } from '@stella/domain';
import { makeServerPlace, type ServerPlace, startServerProcess, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IdempotencyRequest } from '../../src/ports/command-store.ts';
import { type Database, openDatabase, query, transact } from '../../src/store/connection.ts';
import { makeImmutableRows } from '../../src/store/immutable-rows.ts';
import { openLivenessSession } from '../../src/store/liveness-session.ts';
import { migrate } from '../../src/store/migrate.ts';
import { makeCommandStore } from '../../src/store/postgres-command-store.ts';
import { makeEngineStore, type StoreOptions } from '../../src/store/postgres-engine-store.ts';
import { makeReadStore } from '../../src/store/postgres-read-store.ts';
import type { DatabaseAddress } from '../../src/store/primary.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeRandom } from '../../src/system/node-random.ts';
import { makeMemoryLogger } from './postgres-fixture.ts';

let place: ServerPlace;
let database: Database;
const options: StoreOptions = {
  ids: makeIds(
    () => nodeClock.nowMs(),
    (count) => nodeRandom.bytes(count),
  ),
  settings: STANDARD_SETTINGS,
  cache: makeImmutableRows(),
};

const LOGGING = { logger: makeMemoryLogger() };

function addressOf({ dataDir }: ServerPlace): DatabaseAddress {
  return { kind: 'socket', directory: join(dataDir, 'run'), user: 'stella_app', database: 'stella' };
}

beforeAll(async () => {
  place = await makeServerPlace();
  await startServerProcess(place);
  database = openDatabase(addressOf(place), LOGGING);
});
afterAll(async () => {
  await database.close();
  await place.remove();
});

const request = (key: string): IdempotencyRequest => ({
  actorId: 'per_test',
  route: 'POST /test',
  key,
  bodyHash: digestOf('{}'),
});

describe('two requests with one Idempotency-Key', () => {
  it('do the work once: the second waits, then answers the same', async () => {
    const commands = makeCommandStore(database, options);
    let workCount = 0;
    const write = () =>
      commands.transact(request('same'), () => {
        workCount += 1;
        return Promise.resolve({ status: 201, body: { workCount } });
      });
    const answers = await Promise.all([write(), write(), write()]);
    expect(workCount).toBe(1);
    expect(answers).toEqual(Array.from({ length: 3 }, () => ({ status: 201, body: { workCount: 1 } })));
  });

  it('are told idempotency.in_flight when the first takes too long, and nothing of the first is lost', async () => {
    const commands = makeCommandStore(database, options);
    let finish = (): void => undefined;
    const isReleased = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begin = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const first = commands.transact(request('slow'), async () => {
      begin();
      await isReleased;
      return { status: 201, body: {} };
    });
    await hasBegun;
    const second = commands.transact(request('slow'), () => Promise.resolve({ status: 201, body: {} }));
    await expect(second).rejects.toMatchObject({ code: 'idempotency.in_flight' });
    finish();
    expect(await first).toEqual({ status: 201, body: {} });
  });

  it('keep nothing when the work throws', async () => {
    const commands = makeCommandStore(database, options);
    const broken = commands.transact(request('broken'), () => Promise.reject(new Error('no')));
    await expect(broken).rejects.toThrow('no');
    const again = commands.transact(request('broken'), () => Promise.resolve({ status: 200, body: 1 }));
    expect(await again).toEqual({ status: 200, body: 1 });
  });
});

describe('a connection that breaks while a statement runs on it', () => {
  it('fails that transaction as database.unavailable, and not the process', async () => {
    const broken = transact(database, async (session) => {
      const [row] = await session.rows({ name: '', text: 'select pg_backend_pid() as pid' });
      const kill = { name: '', text: `select pg_terminate_backend(${String(row?.['pid'])}, 10000)` };
      await query(database, kill);
      await session.rows({ name: '', text: 'select 1' });
    });
    await expect(broken).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await query(database, { name: '', text: 'select 1 as one' })).toEqual([{ one: 1 }]);
  });
});

describe('the connections of a worker that are its own', () => {
  it('answer while every other one is busy: a lease is renewed, the dead are buried, claims are made', async () => {
    const [narrow, control] = [1, 1].map((poolSize) => openDatabase(addressOf(place), { ...LOGGING, poolSize }));
    if (!narrow || !control) throw new Error('two pools were asked for');
    const engine = makeEngineStore(narrow, options, control);
    const session = await openLivenessSession(control);
    const id = options.ids.next('wrk');
    let finish = (): void => undefined;
    const isOver = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const hanging = transact(narrow, async (tx) => {
      await tx.rows({ name: '', text: 'select 1' });
      await isOver;
    });
    try {
      await engine.registerWorker({ id, session, hostname: 'here', version: 'test', leaseTtlMs: 60_000 });
      expect(await engine.renewLease(id, 60_000)).toBe(true);
      expect(await engine.buryDeadWorkers(id)).toEqual([]);
      expect((await engine.takeDueWork(id, 10)).claimed).toEqual([]);
      await engine.retireWorker(id);
    } finally {
      finish();
      await hanging;
      await session.close();
      await Promise.all([narrow.close(), control.close()]);
    }
  });
});

describe('a statement that waits for a lock', () => {
  it('ends when the process that sent it has died, long before it would get the lock', async () => {
    const died = openDatabase(addressOf(place), { ...LOGGING, makeSocket, poolSize: 1 });
    let socket: Socket | null = null;
    function makeSocket(): Socket {
      socket = new Socket();
      return socket;
    }
    const lock = { name: '', text: 'select pg_advisory_xact_lock(4711)' };
    await transact(database, async (holder) => {
      await holder.rows(lock);
      const waiting = transact(died, async (session) => {
        await session.rows({ name: '', text: 'set local lock_timeout = 0' });
        await session.rows(lock);
      });
      const broken = waiting.catch((error: unknown) => error);
      await waitFor(async () => (await countWaiting()) === 1, { timeoutMs: 10_000, why: 'it waits' });
      socket?.destroy();
      // The holder's transaction may be idle only for so long: it says something at each look.
      const isGone = async (): Promise<boolean> => {
        await holder.rows({ name: '', text: 'select 1' });
        return (await countWaiting()) === 0;
      };
      await waitFor(isGone, { timeoutMs: 10_000, why: 'its backend has ended' });
      expect(await broken).toMatchObject({ code: 'database.unavailable' });
    });
    await died.close();
  });
});

async function countWaiting(): Promise<number> {
  const text = `select count(*) as waiting from pg_locks where locktype = 'advisory' and objid = 4711 and not granted`;
  const [row] = await query(database, { name: '', text });
  return Number(row?.['waiting']);
}

describe('what is not there', () => {
  it('is person.not_found with the nearest', async () => {
    const reads = makeReadStore(database, options);
    await expect(reads.findPerson('admim')).rejects.toMatchObject({
      code: 'person.not_found',
      details: { name: 'admim', nearest: 'admin' },
    });
  });
});

describe('a PostgreSQL of an unknown version', () => {
  it('is refused as database.version before anything is written', async () => {
    const sent: string[] = [];
    const client = {
      query: ({ text }: { text: string }) => {
        sent.push(text);
        return Promise.resolve({ rows: [{ version: '14.12' }], rowCount: 1 });
      },
      release: () => undefined,
    };
    const old = { ...database, pool: { connect: () => Promise.resolve(client) } } as unknown as Database;
    await expect(migrate(old, 'stella_app')).rejects.toMatchObject({ code: 'database.version' });
    expect(sent.at(-1)).toContain('server_version');
    expect(sent.filter((text) => !text.startsWith('select'))).toEqual([]);
  });
});

describe('a connection', () => {
  it('may break between two statements of a transaction, which ends the transaction and not the process', async () => {
    const broken = transact(database, async (session) => {
      const [row] = await session.rows({ name: '', text: 'select pg_backend_pid() as pid' });
      await query(database, { name: '', text: 'select pg_terminate_backend($1)' }, [row?.['pid']]);
      await waitFor(async () => (await countBackends(Number(row?.['pid']))) === 0, {
        timeoutMs: 10_000,
        why: 'the backend has ended',
      });
      // What the driver tells of it comes with the next turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
    });
    await expect(broken).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await query(database, { name: '', text: 'select 1 as one' })).toEqual([{ one: 1 }]);
  });
});

async function countBackends(pid: number): Promise<number> {
  const [row] = await query(database, { name: '', text: 'select count(*) from pg_stat_activity where pid = $1' }, [
    pid,
  ]);
  return Number(row?.['count']);
}
