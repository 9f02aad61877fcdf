/** What the tests of the embedded PostgreSQL and of the data directory use: real ports, holder processes, clients. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { findNativeDirectory, findUserName, PLATFORM } from '../../src/main/native-postgres.ts';
import type { ownDataDir } from '../../src/data-dir/data-dir-owner.ts';
import type { EmbeddedDeps } from '../../src/postgres/embedded-deps.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/postgres/embedded-postgres.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { nodeProcesses } from '../../src/system/node-processes.ts';
import { nodeRandom } from '../../src/system/node-random.ts';
import type { LogFields, Logger } from '../../src/ports/logger.ts';

/** `nobody` everywhere: has a name, and owns nothing. */
export const ORDINARY_ID = 65_534;
/** Has no name on any machine. */
export const NAMELESS_ID = 54_321;
const HOLDER_TIMEOUT_MS = 30_000;

export const isRoot = process.getuid?.() === 0;

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

export function makeMemoryLogger(lines: LogLine[] = []): Logger & { readonly lines: readonly LogLine[] } {
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void => {
      lines.push({ level, message, fields });
    };
  const logger = { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { ...logger, child: () => makeMemoryLogger(lines) };
}

export function embeddedDeps(over: Partial<EmbeddedDeps> = {}): EmbeddedDeps {
  return {
    fileSystem: nodeFileSystem,
    processes: nodeProcesses,
    clock: nodeClock,
    logger: makeMemoryLogger(),
    platform: PLATFORM,
    nativeDirectory: findNativeDirectory(),
    uid: process.getuid?.() ?? -1,
    userName: findUserName(),
    ...over,
  };
}

export function startPostgresIn(dataDir: string, over: Partial<EmbeddedDeps> = {}): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres(embeddedDeps(over), dataDir);
}

export function ownerDeps(): Parameters<typeof ownDataDir>[0] {
  return {
    fileSystem: nodeFileSystem,
    processes: nodeProcesses,
    clock: nodeClock,
    random: nodeRandom,
    pid: process.pid,
  };
}

/** With rights that let another user pass, as a data directory of root's has. */
export function makeTemporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'stella-pg-'));
  execFileSync('chmod', ['0711', path]);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** First column of the first row. */
export async function queryAs(postgres: EmbeddedPostgres, user: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ host: postgres.socketDirectory, user, database: postgres.databaseName });
  // A server that goes away is what some tests are about.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    return (rows[0] as unknown[] | undefined)?.[0];
  } finally {
    await client.end();
  }
}

export type HolderReport =
  | { readonly ok: true; readonly pid: number; readonly postmasterPid: number; readonly wasAdopted: boolean }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

export interface Holder {
  readonly report: HolderReport;
  /** Of Node itself: also when it was started through another program. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** `before`: programs to start it through, such as `['setpriv', '--reuid=65534', …]`, which must exec it. */
export async function startHolder(dataDir: string, before: readonly string[] = []): Promise<Holder> {
  const loader = createRequire(import.meta.url).resolve('tsx');
  const script = join(import.meta.dirname, 'postgres-holder.ts');
  const argv = [...before, process.execPath, '--import', loader, script, dataDir];
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    // Its own temporary directory: tsx keeps a cache there that belongs to one user.
    env: { PATH: process.env['PATH'] ?? '', TMPDIR: '/tmp', TSX_DISABLE_CACHE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: HOLDER_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  for await (const line of createInterface({ input: child.stdout })) {
    // The holder prints what this type says.
    const report = JSON.parse(line) as HolderReport;
    return {
      report,
      kill: async (signal) => {
        child.kill(signal);
        await ended;
      },
    };
  }
  throw new Error(`the holder said nothing: ${errors.slice(-2_000)}`);
}

/** Programs before a command that make it run as this user; nothing when we are that user. */
export function asUser(id: number): readonly string[] {
  return ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', '--'];
}

/** Null when root can start our code as an ordinary user; else what is missing. */
export function whyNotAsOrdinaryUser(): string | null {
  if (!isRoot) return 'needs root, to become another user';
  const [program = '', ...parameters] = asUser(ORDINARY_ID);
  return runs(program, [...parameters, 'test', '-r', import.meta.filename])
    ? null
    : 'needs setpriv, and a checkout that others may read';
}

/** Null when this process may mount something in a namespace of its own. */
export function whyNoMount(): string | null {
  if (!isRoot) return 'needs root, to mount';
  return runs('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']) ? null : 'needs unshare and mount';
}

function runs(program: string, parameters: readonly string[]): boolean {
  try {
    execFileSync(program, parameters, { stdio: 'ignore', timeout: HOLDER_TIMEOUT_MS });
    return true;
  } catch {
    // Missing, or not allowed: the test that needs it is skipped by name.
    return false;
  }
}

export async function isGone(pid: number): Promise<boolean> {
  return (await nodeProcesses.inspect(pid)) === null;
}
