/** A program in a process group of its own, which ends with it, by its deadline or when it writes too much. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { GroupOptions, GroupResult } from '../ports/processes.ts';

/** After its end, what a process that has left the group may hold open is no longer waited for. */
const OUTPUT_GRACE_MS = 200;
/** Turns of the loop after the grace; each reads what is there to be read. */
const OUTPUT_TURNS = 10;

/** ESRCH: nobody is left in the group. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Node's own errors have a code.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * After the end of a program: until its output is closed, or the grace is over. A loop that was held up for longer sees its
 * timers before what has come meanwhile, so the grace alone would lose the output of a program that has written all of it.
 */
export async function untilRead(closed: Promise<void>, graceMs = OUTPUT_GRACE_MS): Promise<void> {
  const output = { isClosed: false };
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((settle) => {
    timer = setTimeout(settle, graceMs);
  });
  const read = closed.then(() => {
    output.isClosed = true;
  });
  await Promise.race([read, waited]);
  clearTimeout(timer);
  for (let turn = 0; turn < OUTPUT_TURNS && !output.isClosed; turn += 1) {
    await new Promise<void>((settle) => {
      setImmediate(settle);
    });
  }
}

export function runGroup(argv: readonly [string, ...string[]], options: GroupOptions): Promise<GroupResult> {
  const [program, ...parameters] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: options.cwd, env: options.env, detached: true });
    child.once('error', reject);
    child.once('spawn', () => {
      const pid = child.pid ?? 0;
      options.onStart(pid);
      void follow(child, pid, options).then(resolve);
    });
  });
}

interface Ending {
  isTimedOut: boolean;
  isAborted: boolean;
  isCut: boolean;
}

async function follow(child: ChildProcessWithoutNullStreams, pid: number, options: GroupOptions): Promise<GroupResult> {
  const ending: Ending = { isTimedOut: false, isAborted: false, isCut: false };
  const timers = armEnds(pid, options, ending);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) =>
    keepOutput(stream, options.outputBytesMax, () => {
      ending.isCut = true;
      signalGroup(pid, 'SIGKILL');
    }),
  );
  // A program that ends before it has read everything is no error of ours.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input);
  const closed = new Promise<void>((settle) => child.once('close', () => settle()));
  const { exitCode, signal } = await new Promise<{ exitCode: number | null; signal: string | null }>((settle) => {
    child.once('exit', (code, by) => settle({ exitCode: code, signal: by }));
  });
  // Its leader is gone; what it left behind goes, too.
  signalGroup(pid, 'SIGKILL');
  timers.clear();
  await untilRead(closed);
  child.stdout.destroy();
  child.stderr.destroy();
  return { exitCode, signal, ...ending, stdout: stdout?.() ?? '', stderr: stderr?.() ?? '' };
}

/** Its two moments, and the two of an abort. */
function armEnds(
  pid: number,
  { termAfterMs, killAfterMs, signal, abortGraceMs }: GroupOptions,
  ending: Ending,
): { clear(): void } {
  const late: NodeJS.Timeout[] = [];
  const at = (delayMs: number, by: NodeJS.Signals): void => {
    late.push(setTimeout(() => signalGroup(pid, by), delayMs));
  };
  late.push(
    setTimeout(() => {
      ending.isTimedOut = true;
      signalGroup(pid, 'SIGTERM');
    }, termAfterMs),
  );
  at(killAfterMs, 'SIGKILL');
  const abort = (): void => {
    ending.isAborted = true;
    signalGroup(pid, 'SIGTERM');
    at(abortGraceMs, 'SIGKILL');
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return {
    clear() {
      signal.removeEventListener('abort', abort);
      for (const timer of late) clearTimeout(timer);
    },
  };
}

function keepOutput(stream: NodeJS.ReadableStream, bytesMax: number, isTooMuch: () => void): () => string {
  const parts: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes <= bytesMax) parts.push(part);
    else isTooMuch();
  });
  return () => Buffer.concat(parts).toString('utf8');
}
