/** This machine as a target's host: each program leads a process group of its own, which ends with it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import type { HostArgv, HostOpenOptions, HostProgram, TargetHost } from '../ports/target-host.ts';
import { signalGroup, untilRead } from './process-group.ts';
import { joinStreams, keepTail, runProgram } from './program-stream.ts';

/** From SIGTERM to SIGKILL, for a program whose stream was given up: time to end what it has started itself. */
const END_GRACE_MS = 6_000;
const STDERR_BYTES_MAX = 65_536;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `home`: of the user of this process, the only thing of its environment that programs get. */
export function makeLocalHost({ home }: { readonly home: string }): TargetHost {
  const open = (argv: HostArgv, options: HostOpenOptions): Promise<HostProgram> => openGroup(home, argv, options);
  return {
    label: 'this machine',
    open,
    async run(argv, { env = {}, ...options }) {
      // Its end comes from `runProgram`, which tells why.
      return runProgram(await open(argv, { env, signal: new AbortController().signal }), options);
    },
    look: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

function openGroup(home: string, argv: HostArgv, options: HostOpenOptions): Promise<HostProgram> {
  const [program, ...parameters] = argv;
  const env = { PATH, LANG: 'C.UTF-8', HOME: home, ...options.env };
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { cwd: '/', env, detached: true });
    child.once('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => resolve(neverStarted(program, code)));
    child.once('spawn', () => resolve(follow(child, options.signal)));
  });
}

/** In the words and with the codes of a shell (POSIX, Shell Command Language, 2.8.2), as a host over SSH tells it. */
function neverStarted(program: string, code: string): HostProgram {
  const exitCode = code === 'ENOENT' ? 127 : 126;
  const stream = new PassThrough();
  stream.end();
  return { stream, ended: Promise.resolve({ exitCode, stderr: `${program}: cannot be started (${code})\n` }) };
}

function follow(child: ChildProcessWithoutNullStreams, signal: AbortSignal): HostProgram {
  // It has started, so it has one.
  const pid = child.pid ?? 0;
  let killing: NodeJS.Timeout | undefined;
  let hasEnded = false;
  const stream = joinStreams({
    stdout: child.stdout,
    stdin: child.stdin,
    onDestroy: () => {
      child.stdout.destroy();
      if (hasEnded) return;
      signalGroup(pid, 'SIGTERM');
      killing = setTimeout(() => signalGroup(pid, 'SIGKILL'), END_GRACE_MS);
    },
  });
  const abort = (): void => void stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const stderr = keepTail(child.stderr, STDERR_BYTES_MAX);
  const closed = new Promise<void>((settle) => child.once('close', () => settle()));
  const ended = new Promise<{ exitCode: number | null; stderr: string }>((settle) => {
    child.once('exit', (exitCode) => {
      hasEnded = true;
      clearTimeout(killing);
      signal.removeEventListener('abort', abort);
      // Its leader is gone; what it left behind in the group goes, too.
      signalGroup(pid, 'SIGKILL');
      void untilRead(closed).then(() => {
        child.stderr.destroy();
        child.stdin.destroy();
        if (!child.stdout.readableEnded && child.stdout.readableFlowing) child.stdout.destroy();
        settle({ exitCode, stderr: stderr() });
      });
    });
  });
  return { stream, ended };
}
