/** What keeps the embedded PostgreSQL, or a database that was given, from being used: each named, with the way out. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeServerPlace, type ServerPlace, startServerProcess } from '@stella/testkit';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readServerConfig } from '../../src/config/server-config.ts';
import { nodeProcesses } from '../../src/system/node-processes.ts';
import { makeTemporaryDirectory, queryAs, startPostgresIn } from './postgres-fixture.ts';

describe('the embedded PostgreSQL', () => {
  let directory: ReturnType<typeof makeTemporaryDirectory>;
  beforeEach(() => {
    directory = makeTemporaryDirectory();
  });
  afterEach(() => directory.remove());

  it.each([
    ['database.platform', { platform: 'plan9-vax', nativeDirectory: null }],
    ['database.uid', { uid: 54_321, userName: null }],
  ])('does not start: %s, and names STELLA_DATABASE_URL', async (code, over) => {
    const start = startPostgresIn(directory.path, over);
    await expect(start).rejects.toMatchObject({ code });
    await expect(start).rejects.toMatchObject({ hint: expect.stringContaining('STELLA_DATABASE_URL') as string });
  });

  it('does not start below a path that is too long for a socket: database.socket_path', async () => {
    const long = join(directory.path, 'x'.repeat(100));
    mkdirSync(long);
    await expect(startPostgresIn(long)).rejects.toMatchObject({ code: 'database.socket_path' });
  });

  it('tells why its cluster could not be made: database.start', async () => {
    const failed = { exitCode: 1, signal: null, isTimedOut: false, stdout: '', stderr: 'initdb: error: no space left' };
    const processes: typeof nodeProcesses = {
      ...nodeProcesses,
      run: (argv, options) =>
        argv.some((word) => word.endsWith('/initdb')) ? Promise.resolve(failed) : nodeProcesses.run(argv, options),
    };
    const start = startPostgresIn(directory.path, { processes });
    await expect(start).rejects.toMatchObject({
      code: 'database.start',
      message: expect.stringContaining('no space left') as string,
    });
  });
});

describe('a server on its database', () => {
  let place: ServerPlace;
  beforeEach(async () => {
    place = await makeServerPlace();
  });
  afterEach(() => place.remove());

  it('lets the application role read and add events, and change none; keeps chained ones sealed', async () => {
    const server = await startServerProcess(place);
    const client = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_app', database: 'stella' });
    await client.connect();
    const refused = async (sql: string): Promise<string> =>
      client.query(sql).then(
        () => 'done',
        (error: unknown) => (error instanceof pg.DatabaseError ? (error.code ?? '') : 'other'),
      );
    expect(await refused('select count(*) from stella.events')).toBe('done');
    expect(await refused("update stella.events set subject = 'other'")).toBe('42501');
    expect(await refused('delete from stella.events')).toBe('42501');
    expect(await refused('truncate stella.events')).toBe('42501');
    expect(await refused('drop table stella.events')).toBe('42501');
    expect(await refused("update stella.attempt_outcomes set outcome = 'succeeded'")).toBe('42501');
    expect(await refused('update stella.events set seq = 1 where seq = 1')).not.toBe('done');
    await client.end();
    await server.stop();
  });

  it('does not start on a newer schema: database.schema_newer, and changes nothing', async () => {
    const first = await startServerProcess(place);
    await first.stop();
    const postgres = await startPostgresIn(place.dataDir);
    await queryAs(postgres, postgres.ownerRole, "insert into stella.schema_migrations values (99, 'future')");
    await postgres.stop();
    await expect(startServerProcess(place)).rejects.toThrow('database.schema_newer');
  });

  it('is refused a second time on one data directory, naming the first, which goes on', async () => {
    const first = await startServerProcess(place);
    await expect(startServerProcess(place)).rejects.toThrow(`data_dir.owned`);
    expect(readFileSync(join(place.dataDir, 'server.pid'), 'utf8')).toContain(String(first.pid));
    expect((await fetch(`${first.url}/livez`)).status).toBe(200);
  });

  it('goes on with the running PostgreSQL after it was killed', async () => {
    const first = await startServerProcess(place);
    await first.kill();
    const second = await startServerProcess(place);
    expect(second.log()).toContain('"wasAdopted":true');
    expect((await fetch(`${second.url}/readyz`)).status).toBe(200);
  });

  it('says database.unavailable where none answers', async () => {
    const env = { STELLA_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    const order = { env, databasePatienceMs: 0 };
    await expect(startServerProcess(place, order)).rejects.toThrow('database.unavailable');
  });
});

describe('the configuration', () => {
  const read = (env: Readonly<Record<string, string>>, flags = {}) =>
    readServerConfig(flags, { env, uid: 1_000, home: '/home/dana', cwd: '/' });

  it('refuses an open address in clear text as server.insecure_listen, unless it is asked for', () => {
    const listen = { listen: '0.0.0.0:80' };
    expect(() => read({}, listen)).toThrow(expect.objectContaining({ code: 'server.insecure_listen' }));
    expect(read({}, { ...listen, insecureListen: true }).listen).toEqual({ host: '0.0.0.0', port: 80 });
    expect(read({}).listen).toEqual({ host: '127.0.0.1', port: 8_484 });
  });

  it('takes an open address with a certificate and its key, and neither of them alone', () => {
    const listen = { listen: '0.0.0.0:443' };
    const both = { STELLA_TLS_CERT: 'tls/cert.pem', STELLA_TLS_KEY: '/etc/tls/key.pem' };
    expect(read(both, listen).tls).toEqual({ certFile: '/tls/cert.pem', keyFile: '/etc/tls/key.pem' });
    for (const name of ['STELLA_TLS_CERT', 'STELLA_TLS_KEY'] as const) {
      const error = {
        code: 'config.invalid',
        details: expect.objectContaining({ message: expect.any(String) as string }) as object,
      };
      expect(() => read({ [name]: 'x.pem' }, listen)).toThrow(expect.objectContaining(error));
    }
    expect(read({ STELLA_URL: 'https://stella.example:8484' }).url).toBe('https://stella.example:8484');
    for (const url of ['stella.example', 'ftp://stella.example', 'https://stella.example/api']) {
      expect(() => read({ STELLA_URL: url })).toThrow(expect.objectContaining({ code: 'config.invalid' }));
    }
  });

  it('refuses an unknown variable as config.invalid, with the nearest', () => {
    expect(() => read({ STELLA_LOCK_TIMEOUT: '1s' })).toThrow(
      expect.objectContaining({
        code: 'config.invalid',
        details: expect.objectContaining({ nearest: 'STELLA_LOCKS_TIMEOUT' }) as object,
      }),
    );
    expect(read({ STELLA_LOCKS_TIMEOUT: '45s' }).settings['locks.timeout']).toBe(45_000);
    expect(read({}).dataDir).toBe('/home/dana/.local/share/stella');
  });
});
