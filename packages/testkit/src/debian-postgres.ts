/** Debian's PostgreSQL, started for a test on loopback: a primary, standbys of it, and what may happen to them. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort } from './find-free-port.ts';
import { waitFor } from './wait-for.ts';

/** PostgreSQL 15 is the oldest that Stella supports, and what Debian 12 has. */
const DIRECTORY = '/usr/lib/postgresql/15/bin';
/** It is up in half a second, also after a crash; a busy machine needs longer. */
const START_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 120_000;
const LOG_CHARACTERS_MAX = 20_000;

const run = promisify(execFile);

export interface DebianPostgres {
  readonly port: number;
  /** `127.0.0.1:41234`, as URLs name it. */
  readonly address: string;
  /** Its directory; the cluster is in `data` below. */
  readonly directory: string;
  /** Of the postmaster; null while it is down. */
  pid(): number | null;
  /** `postgres://stella_app@127.0.0.1:41234/stella`; the superuser is `postgres`. Nobody needs a password. */
  url(user: string, database?: string): string;
  start(): Promise<void>;
  /** SIGINT: disconnects everybody and shuts down cleanly. */
  stop(): Promise<void>;
  /** SIGKILL of the postmaster; its children notice and end. */
  kill(): Promise<void>;
  /** A standby becomes a primary, with a new timeline. */
  promote(): Promise<void>;
  /** One statement as the superuser; answers what psql prints, without headings. */
  sql(text: string, database?: string): Promise<string>;
  /** A new server that follows this one; `settings` as in `startDebianPostgres`. Its name for the primary is `name`. */
  makeStandby(name: string, settings?: readonly string[]): Promise<DebianPostgres>;
  /** Its log so far, for the message of a failed test. */
  log(): string;
  /** Kills it and removes its directory. */
  remove(): Promise<void>;
}

/** True when it is installed (tools/install-system-deps.sh). */
export function hasDebianPostgres(): boolean {
  try {
    accessSync(join(DIRECTORY, 'postgres'), constants.X_OK);
    return true;
  } catch {
    // Missing, or not to be run.
    return false;
  }
}

/**
 * A new cluster, running, with a database `stella` and its roles `stella_owner` and `stella_app`. `settings` are lines of
 * its configuration, `synchronous_commit=on`; without fsync, because no test takes the power away.
 */
export async function startDebianPostgres(settings: readonly string[] = []): Promise<DebianPostgres> {
  const directory = await makeDirectory();
  const initdb = ['-D', join(directory, 'data'), '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8'];
  await runAsOwner('initdb', [...initdb, '--locale=C']);
  const postgres = await makeServer(directory, settings);
  await postgres.start();
  await postgres.sql('create role stella_owner login', 'postgres');
  await postgres.sql('create role stella_app login', 'postgres');
  await postgres.sql('create database stella owner stella_owner', 'postgres');
  return postgres;
}

async function makeServer(directory: string, settings: readonly string[]): Promise<DebianPostgres> {
  const port = await findFreePort();
  const data = join(directory, 'data');
  let child: ChildProcess | null = null;
  let log = '';
  const url = (user: string, database = 'stella'): string => `postgres://${user}@127.0.0.1:${port}/${database}`;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => {
      running.once('exit', () => resolve());
    });
    running.kill(signal);
    await ended;
    child = null;
  };
  const sql: DebianPostgres['sql'] = async (text, database = 'stella') =>
    (await runAsOwner('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', url('postgres', database), '-c', text])).trim();

  return {
    port,
    address: `127.0.0.1:${port}`,
    directory,
    pid: () => child?.pid ?? null,
    url,
    async start() {
      const own = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${directory}`, 'fsync=off'];
      const argv = [...own, ...settings].flatMap((setting) => ['-c', setting]);
      child = spawn(join(DIRECTORY, 'postgres'), ['-D', data, ...argv], {
        ...owner(),
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr?.on('data', (chunk: Buffer) => {
        log = `${log}${chunk.toString()}`.slice(-LOG_CHARACTERS_MAX);
      });
      await waitFor(() => isReady(port), {
        timeoutMs: START_TIMEOUT_MS,
        why: `PostgreSQL 15 at port ${port} is up`,
      });
    },
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    promote: async () => void (await runAsOwner('pg_ctl', ['promote', '-D', data, '-w', '-t', '60'])),
    sql,
    async makeStandby(name, own = []) {
      const place = await makeDirectory();
      const from = `host=127.0.0.1 port=${port} user=postgres application_name=${name}`;
      await runAsOwner('pg_basebackup', ['-D', join(place, 'data'), '-R', '-X', 'stream', '-c', 'fast', '-d', from]);
      const standby = await makeServer(place, own);
      await standby.start();
      return standby;
    },
    log: () => log,
    async remove() {
      await end('SIGKILL');
      await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    await run(join(DIRECTORY, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]);
    return true;
  } catch {
    // Not yet.
    return false;
  }
}

async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-debian-pg-'));
  await chmod(directory, 0o700);
  const { uid, gid } = owner();
  if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid);
  return directory;
}

/** PostgreSQL refuses to run as root; Debian's package made a user for it. */
function owner(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

async function runAsOwner(program: string, parameters: readonly string[]): Promise<string> {
  // A directory that every user may stand in.
  const options = { ...owner(), cwd: '/', timeout: COMMAND_TIMEOUT_MS, encoding: 'utf8' } as const;
  return (await run(join(DIRECTORY, program), [...parameters], options)).stdout;
}
