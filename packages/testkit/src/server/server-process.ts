/** Starts the real server as a child of a test, on a data directory of its own, and ends what it left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClient } from '@stella/contract/client';
import { testProgram } from '../test-program.ts';
import { waitFor } from '../wait-for.ts';

/** A first start also makes the database cluster. */
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 30_000;
/** Of the log of one process that is kept for a failed test. */
const LOG_CHARACTERS_MAX = 200_000;

/** Where and when the process dies or hangs: at the `hit`-th time that it passes `point`. */
export interface Fault {
  readonly point: string;
  /** 1, 2, 3 … */
  readonly hit: number;
  /** Standard: kill. A blocked process lives, and does nothing. */
  readonly action?: 'kill' | 'block';
}

export interface ServeOrder {
  readonly dataDir: string;
  readonly role?: 'all' | 'api' | 'worker';
  readonly watchdogLimitMs?: number;
  readonly databasePatienceMs?: number;
  /** Armed from the first line on. */
  readonly fault?: Fault;
}

/** Directories of one server, which several processes use one after another. */
export interface ServerPlace {
  /** Empty directory, which targets may write to and image layouts may be read from. */
  readonly directory: string;
  readonly dataDir: string;
  readonly targets: string;
  readonly layouts: string;
  /** Processes that were started here, so that a failed test leaves none. */
  readonly children: Set<ChildProcess>;
  /** Ends what still runs, also the PostgreSQL that a killed server left, and removes everything. */
  remove(): Promise<void>;
}

export interface ServerProcess {
  /** `http://127.0.0.1:41234`; empty for a worker. */
  readonly url: string;
  /** Of the first admin. */
  readonly token: string;
  readonly pid: number;
  /** Its log so far, for the message of a failed test. */
  readonly log: () => string;
  /** Settles when the process has ended, with the signal or `exit 0`. */
  readonly ended: Promise<string>;
  /** From now on the process dies at `fault`; hits before are not counted. */
  arm(fault: Fault): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it has drained. */
  stop(): Promise<void>;
}

export async function makeServerPlace(): Promise<ServerPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-test-'));
  // PostgreSQL may run as another user, who must be able to pass.
  await chmod(directory, 0o711);
  const dataDir = join(directory, 'data');
  const children = new Set<ChildProcess>();
  return {
    directory,
    dataDir,
    targets: join(directory, 'targets'),
    layouts: join(directory, 'layouts'),
    children,
    async remove() {
      for (const child of children) child.kill('SIGKILL');
      await endPostgres(dataDir);
      await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** Resolves when the server answers requests; rejects with its log when it ends before. */
export async function startServerProcess(
  place: ServerPlace,
  { env = {}, ...order }: Omit<ServeOrder, 'dataDir'> & { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<ServerProcess> {
  const child = spawn(
    process.execPath,
    [testProgram('serve-with-fault'), JSON.stringify({ ...order, dataDir: place.dataDir })],
    {
      cwd: import.meta.dirname,
      env: {
        ...withoutStella(process.env),
        STELLA_TARGET_DIRECTORIES: place.targets,
        STELLA_LAYOUT_DIRECTORIES: place.layouts,
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  place.children.add(child);
  child.once('exit', () => place.children.delete(child));
  const log = collectLog(child);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  await untilReady(child, { ended, log });
  const url = order.role === 'worker' ? '' : await readUrl(place.dataDir);
  const token = order.role === 'worker' ? '' : await readFile(join(place.dataDir, 'admin.token'), 'utf8');
  return {
    url,
    token: token.trim(),
    pid: child.pid ?? 0,
    log,
    ended,
    async arm(fault) {
      const line = JSON.stringify(fault);
      child.stdin.write(`${line}\n`);
      await waitFor(() => log().includes(`armed ${line}`), { timeoutMs: CALL_TIMEOUT_MS, why: 'the fault is armed' });
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(late);
    },
  };
}

/** The API of a server as its first admin. */
export function adminClient({ url, token }: Pick<ServerProcess, 'url' | 'token'>): ReturnType<typeof makeClient> {
  return makeClient({ server: url, token, timeoutMs: CALL_TIMEOUT_MS });
}

function collectLog(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-LOG_CHARACTERS_MAX);
    });
  }
  return () => text;
}

async function untilReady(
  child: ChildProcess,
  { ended, log }: { readonly ended: Promise<string>; readonly log: () => string },
): Promise<void> {
  let end: string | null = null;
  void ended.then((how) => {
    end = how;
  });
  await waitFor(() => end !== null || /^ready$/m.test(log()), {
    timeoutMs: START_TIMEOUT_MS,
    why: 'the server listens',
  });
  if (end !== null && !/^ready$/m.test(log())) throw new Error(`the server ended (${String(end)}): ${log()}`);
  if (child.pid === undefined) throw new Error('the server has no process');
}

async function readUrl(dataDir: string): Promise<string> {
  // Written by the server as it began to listen.
  const { url } = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')) as { url: string };
  return url;
}

function withoutStella(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('STELLA_')));
}

/** SIGQUIT ends a postmaster at once; the directory is about to be removed. */
async function endPostgres(dataDir: string): Promise<void> {
  const pid = await readPostmasterPid(dataDir);
  if (pid === null || !isRunning(pid)) return;
  process.kill(pid, 'SIGQUIT');
  await waitFor(() => !isRunning(pid), { timeoutMs: STOP_TIMEOUT_MS, why: 'PostgreSQL has ended' });
}

async function readPostmasterPid(dataDir: string): Promise<number | null> {
  try {
    const [first] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
    return Number(first);
  } catch {
    // It was stopped, or never started.
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
}
