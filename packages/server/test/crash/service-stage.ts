/** Where `stella service` is tried: the built program, a data directory of its own, real processes that are ended by pid. */
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeServerPlace, type ServerPlace, waitFor } from '@stella/testkit';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const PROGRAM = join(ROOT, 'packages', 'cli', 'dist', 'main.mjs');
const COMMAND_TIMEOUT_MS = 240_000;
const END_TIMEOUT_MS = 60_000;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Report {
  readonly state: string;
  readonly manager: string | null;
  readonly pid: number | null;
  readonly url: string | null;
  readonly isReady: boolean;
  readonly note: string | null;
  readonly supervisorPid: number | null;
  readonly restartCount: number;
  readonly lastExit: { readonly signal: string | null; readonly exitCode: number | null } | null;
  readonly database: { readonly kind: string; readonly pid: number | null };
  readonly tookMs: number;
  readonly drainedMs: number;
}

export interface ServiceStage {
  readonly place: ServerPlace;
  /** `stella service <verb> orchestrator …`; more variables for this call only. */
  service(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** The same with `-o json`, which must succeed. */
  done(verb: string, words?: readonly string[]): Promise<Report>;
  /** Pids of the servers (`serve`) or supervisors (`run`) of this data directory, whoever started them. */
  processes(verb: 'serve' | 'run'): readonly number[];
  /** Until another server than `pid` says that it is ready; asked without the command line, which would slow it down. */
  untilReady(pid: number | null): Promise<void>;
  /** `orch serve` as a person types it; answers when it is ready. */
  serveByHand(): Promise<{ readonly pid: number; stop(): Promise<void> }>;
  /** From now on the server's event loop is blocked. */
  block(): Promise<void>;
  /** Servers that are started from now on are not. */
  unblock(): Promise<void>;
  remove(): Promise<void>;
}

/** Loaded into every process of the service: blocks the main thread of a server once the file is there. */
const BLOCKER = `
const { existsSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');
if (isMainThread && process.argv.includes('serve')) {
  setInterval(() => { while (existsSync(process.env.TEST_BLOCK_FILE)) {} }, 20).unref();
}
`;

export async function openServiceStage(): Promise<ServiceStage> {
  const place = await makeServerPlace();
  await mkdir(place.dataDir, { mode: 0o711 });
  const blocker = join(place.directory, 'blocker.cjs');
  const blockFile = join(place.directory, 'block');
  await writeFile(blocker, BLOCKER);
  const env = {
    ...withoutStella(process.env),
    HOME: place.directory,
    STELLA_DATA_DIR: place.dataDir,
    STELLA_LISTEN: '127.0.0.1:0',
    STELLA_TARGET_DIRECTORIES: place.targets,
    STELLA_LAYOUT_DIRECTORIES: place.layouts,
    NODE_OPTIONS: `--require ${blocker}`,
    TEST_BLOCK_FILE: blockFile,
  };
  const service: ServiceStage['service'] = ([verb = '', ...words], more = {}) => {
    const manager = verb === 'start' ? ['--manager', 'supervisor'] : [];
    return run(['service', verb, 'orchestrator', ...manager, ...words], { ...env, ...more });
  };
  return {
    place,
    service,
    async done(verb, words = []) {
      const { code, stdout, stderr } = await service([verb, '-o', 'json', ...words]);
      if (code !== 0) throw new Error(`service ${verb} ended with ${code}: ${stderr}${await logOf(place)}`);
      // What the command says it shows.
      return JSON.parse(stdout) as Report;
    },
    processes: (verb) => processesOf([verb, place.dataDir]),
    untilReady: (pid) =>
      waitFor(() => isOtherReady(place, pid), { timeoutMs: COMMAND_TIMEOUT_MS, why: 'the next server is ready' }),
    serveByHand: () => serveByHand(place, env),
    block: () => writeFile(blockFile, ''),
    unblock: () => rm(blockFile),
    async remove() {
      // Its supervisors first: they would start servers again.
      for (const verb of ['run', 'serve']) {
        for (const pid of processesOf([verb, place.dataDir])) await endAtOnce(pid);
      }
      await place.remove();
    },
  };
}

async function isOtherReady({ dataDir }: ServerPlace, pid: number | null): Promise<boolean> {
  try {
    // Written by the server as it begins to listen.
    const server = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')) as { pid: number; url: string };
    return server.pid !== pid && (await fetch(`${server.url}/readyz`)).ok;
  } catch {
    // It does not listen yet.
    return false;
  }
}

async function serveByHand(place: ServerPlace, env: NodeJS.ProcessEnv): ReturnType<ServiceStage['serveByHand']> {
  const words = ['orch', 'serve', '--data-dir', place.dataDir];
  const child = spawn(process.execPath, [PROGRAM, ...words], { env, stdio: 'ignore' });
  const pid = child.pid ?? 0;
  place.children.add(child);
  const isListening = async (): Promise<boolean> =>
    (await readFile(join(place.dataDir, 'server.json'), 'utf8').catch(() => '')).includes(`"pid":${pid},`);
  await waitFor(isListening, { timeoutMs: COMMAND_TIMEOUT_MS, why: 'the server listens' });
  return {
    pid,
    async stop() {
      child.kill('SIGTERM');
      await waitFor(() => child.exitCode !== null, { timeoutMs: COMMAND_TIMEOUT_MS, why: 'the server has stopped' });
    },
  };
}

/** SIGKILL, and waits until it is gone. */
export async function endAtOnce(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
  await waitFor(() => !isThere(pid), { timeoutMs: END_TIMEOUT_MS, why: `${pid} is gone` });
}

/** A zombie is gone: its parent may be long dead, and nobody asks for its end. */
export function isThere(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    // No such process.
    return false;
  }
}

function processesOf(words: readonly string[]): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isThere(pid) && words.every((word) => argumentsOf(pid).includes(word)));
}

function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It ended meanwhile.
    return [];
  }
}

export async function logOf(place: ServerPlace): Promise<string> {
  return readFile(join(place.dataDir, 'service', 'orchestrator.log'), 'utf8').catch(() => '');
}

function run(words: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env, timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
    execFile(process.execPath, [PROGRAM, ...words], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ code, stdout, stderr });
    });
  });
}

function withoutStella(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('STELLA_')));
}
