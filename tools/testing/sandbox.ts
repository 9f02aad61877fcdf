/**
 * The surroundings of a test run: an own temporary directory and home, no `STELLA_*` from outside. What is left in
 * there afterwards was leaked by a test: files that it did not remove, processes that it did not stop.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Kept by tools that the tests run with, not by the tests. */
const TOOL_LEFTOVERS = /^(tsx-|node-compile-cache|v8-compile-cache|vitest-|\.?node-)/;

const UNMOUNT_TIMEOUT_MS = 10_000;

/** As shells report it. */
const EXIT_CODE_INTERRUPTED = 130;

export interface Sandbox {
  readonly env: NodeJS.ProcessEnv;
  readonly reportFolder: string;
  /** What is left, by name; ends left processes, and unmounts what a test that was stopped had mounted. */
  readonly findLeftovers: () => readonly string[];
  readonly remove: () => void;
}

export function makeSandbox(env: NodeJS.ProcessEnv): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'stella-test-'));
  const temporary = join(folder, 't');
  const home = join(folder, 'home');
  const reportFolder = join(folder, 'reports');
  for (const path of [temporary, home, reportFolder]) mkdirSync(path);
  // As /tmp is: tests as root start PostgreSQL as another user, which must get through and may write.
  chmodSync(folder, 0o755);
  chmodSync(temporary, 0o1777);
  const kept = Object.entries(env).filter(([name]) => !/^(STELLA_|XDG_)/.test(name));
  return {
    env: { ...Object.fromEntries(kept), TMPDIR: temporary, HOME: home, CI: '1' },
    reportFolder,
    findLeftovers: () => [...endProcessesIn(temporary), ...unmountIn(temporary), ...findFiles(temporary)],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs with a sandbox that is removed however the run ends, also by a signal. */
export async function withSandbox<T>(env: NodeJS.ProcessEnv, run: (sandbox: Sandbox) => Promise<T>): Promise<T> {
  const sandbox = makeSandbox(env);
  const clear = (): void => {
    sandbox.findLeftovers();
    sandbox.remove();
  };
  const stop = (): void => {
    clear();
    process.exit(EXIT_CODE_INTERRUPTED);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await run(sandbox);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    clear();
  }
}

function findFiles(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => !TOOL_LEFTOVERS.test(name))
    .map((name) => `left behind: temporary ${name}`);
}

/** Processes that work in our temporary directory or were given it; only where /proc shows them. */
function endProcessesIn(folder: string): readonly string[] {
  const left: string[] = [];
  for (const pid of processIds()) {
    const words = describeProcess(pid, folder);
    if (words === null) continue;
    left.push(`left behind: process ${words}`);
    process.kill(pid, 'SIGKILL');
  }
  return left;
}

function unmountIn(folder: string): readonly string[] {
  if (process.platform !== 'linux') return [];
  const paths = mountsIn(folder, readFileSync('/proc/mounts', 'utf8'));
  for (const path of paths) execFileSync('umount', ['-l', path], { timeout: UNMOUNT_TIMEOUT_MS });
  return paths.map((path) => `left behind: mount ${path}`);
}

/** Of lines like `tmpfs /tmp/x/wal tmpfs rw 0 0` those below the folder, the deepest first. */
export function mountsIn(folder: string, mounts: string): readonly string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length);
}

function processIds(): readonly number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

/** Its command line, null when it is none of ours or already gone. */
function describeProcess(pid: number, folder: string): string | null {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    const isOurs = environment.includes(`TMPDIR=${folder}`) || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    if (!isOurs) return null;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 120).trim();
  } catch {
    // Ended meanwhile, or belongs to somebody else.
    return null;
  }
}
