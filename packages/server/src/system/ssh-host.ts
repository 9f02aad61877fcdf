/** A host over SSH as a target's host: one session per program on a connection of the pool. */
import { AppError, type ProbeStage, type ProbeStageName, type SshHostDefinition } from '@stella/domain';
import { join as quoteArgv } from 'shlex';
import type { ClientChannel } from 'ssh2';
import type {
  HostArgv,
  HostLookOptions,
  HostOpenOptions,
  HostProgram,
  HostRunOptions,
  HostRunResult,
  TargetHost,
} from '../ports/target-host.ts';
import { untilRead } from './process-group.ts';
import { joinStreams, keepTail, runProgram } from './program-stream.ts';
import { connectSsh, type SshDeps, SshFailure } from './ssh-connection.ts';
import type { SshPool, SshSession } from './ssh-pool.ts';

/** From SIGTERM to SIGKILL, and from there to the end of the session whatever the program does. */
const END_GRACE_MS = 6_000;
/** After its exit code, which may overtake its last output; what a process that lives on holds open is not waited for. */
const OUTPUT_GRACE_MS = 2_000;
/** For a program that `timeout` ends on its host; what it still says after it was given up is of no use. */
const END_WAIT_MS = 2_000;
/** For the host to start a program on a session. */
const START_MS = 20_000;
const STDERR_BYTES_MAX = 65_536;

export interface SshHostDeps extends SshDeps {
  readonly pool: SshPool;
}

export function makeSshHost(target: string, ssh: SshHostDefinition, deps: SshHostDeps): TargetHost {
  const label = `${ssh.user}@${ssh.address}:${ssh.port}`;
  const open = (argv: HostArgv, options: HostOpenOptions): Promise<HostProgram> =>
    openSession({ target, label, ssh, pool: deps.pool }, argv, options);
  return {
    label,
    open,
    run: (argv, options) => run(open, argv, options),
    look: (options) => look(ssh, deps, options),
    // Connections are the pool's.
    close: () => Promise.resolve(),
  };
}

async function run(
  open: TargetHost['open'],
  argv: HostArgv,
  { env = {}, ...options }: HostRunOptions,
): Promise<HostRunResult> {
  const starting = new AbortController();
  let isTimedOut = false;
  const beganMs = performance.now();
  const abort = (): void => starting.abort();
  const overdue = setTimeout(() => {
    isTimedOut = true;
    abort();
  }, options.timeoutMs);
  options.signal.addEventListener('abort', abort, { once: true });
  if (options.signal.aborted) abort();
  // Whatever becomes of the connection, the program ends: sshd hands on no signals for root (session_signal_req).
  const limit = String(Math.ceil(options.timeoutMs / 1_000) + 1);
  let program: HostProgram;
  try {
    program = await open(['timeout', '-k', '5', limit, ...argv], { env, signal: starting.signal });
  } catch (error) {
    if (!starting.signal.aborted) throw error;
    const ending = { isTimedOut, isAborted: !isTimedOut, isCut: false };
    return { exitCode: null, stdout: '', stderr: messageOf(error), ...ending };
  } finally {
    clearTimeout(overdue);
    options.signal.removeEventListener('abort', abort);
  }
  const leftMs = Math.max(1, options.timeoutMs - (performance.now() - beganMs));
  // Its end comes from there, which tells why.
  return runProgram(program, { ...options, timeoutMs: leftMs }, END_WAIT_MS);
}

interface SessionPlace {
  readonly target: string;
  readonly label: string;
  readonly ssh: SshHostDefinition;
  readonly pool: SshPool;
}

async function openSession(
  { target, label, ssh, pool }: SessionPlace,
  argv: HostArgv,
  { env = {}, signal }: HostOpenOptions,
): Promise<HostProgram> {
  const fail = (code: SshFailure['code'], message: string, cause: unknown): AppError =>
    new AppError(code, { details: { target, host: label, message }, cause });
  let session: SshSession;
  try {
    session = await pool.acquire(ssh, signal);
  } catch (error) {
    if (error instanceof SshFailure) throw fail(error.code, error.message, error);
    throw fail('target.unreachable', signal.aborted ? 'the connection was given up' : messageOf(error), error);
  }
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const command = quoteArgv(assignments.length === 0 ? argv : ['env', ...assignments, ...argv]);
  try {
    // A login shell runs it; as the program itself it gets the signals.
    return await start(session, `exec ${command}`, signal);
  } catch (error) {
    session.release();
    throw fail('target.unreachable', messageOf(error), error);
  }
}

function start(session: SshSession, command: string, signal: AbortSignal): Promise<HostProgram> {
  const { client } = session;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    const overdue = setTimeout(() => {
      fail(new Error(`no session within ${START_MS} ms`));
      // What does not answer a session is of no use for others.
      client.destroy();
    }, START_MS);
    const closed = (): void => fail(new Error('the connection was lost'));
    const abort = (): void => fail(new Error('given up while its host had not started it'));
    const settle = (): void => {
      clearTimeout(overdue);
      client.off('close', closed);
      signal.removeEventListener('abort', abort);
    };
    client.once('close', closed);
    signal.addEventListener('abort', abort, { once: true });
    const started = (error: Error | undefined, channel: ClientChannel): void => {
      if (error) {
        fail(error);
        return;
      }
      settle();
      // One that comes when nobody waits any more is closed; `timeout` or the end of its stdin ends it.
      if (signal.aborted) channel.close();
      // At once: all that a short program says may be there already, and is told before any promise is looked at.
      resolve(follow(channel, session, signal));
    };
    try {
      client.exec(command, started);
    } catch (error) {
      // Of a connection that is ending.
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function follow(channel: ClientChannel, { client, release }: SshSession, signal: AbortSignal): HostProgram {
  const stderr = keepTail(channel.stderr, STDERR_BYTES_MAX);
  const timers: NodeJS.Timeout[] = [];
  let exitCode: number | null = null;
  let hasEnded = false;
  let settle: (ending: Awaited<HostProgram['ended']>) => void = () => undefined;
  const ended = new Promise<Awaited<HostProgram['ended']>>((resolve) => (settle = resolve));
  const end = (): void => {
    hasEnded = true;
    for (const timer of timers) clearTimeout(timer);
    settle({ exitCode, stderr: stderr() });
  };
  const stream = joinStreams({
    stdout: channel,
    stdin: channel,
    onDestroy: () => {
      channel.resume();
      if (hasEnded) {
        channel.close();
        return;
      }
      channel.signal('TERM');
      timers.push(setTimeout(() => channel.signal('KILL'), END_GRACE_MS));
      timers.push(setTimeout(cut, 2 * END_GRACE_MS));
    },
  });
  const abort = (): void => void stream.destroy();
  const leave = (): void => {
    signal.removeEventListener('abort', abort);
    client.off('close', lose);
    release();
    end();
  };
  const lose = (): void => {
    // What it still had to say is lost, too: an exit code would call that whole.
    exitCode = null;
    leave();
  };
  /** sshd answers the end of a channel only when its program has ended, so that is not waited for. */
  const cut = (): void => {
    channel.close();
    channel.removeAllListeners('data').resume();
    stream.push(null);
    leave();
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  // It comes when everything was read.
  const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
  void closed.then(leave);
  client.once('close', lose);
  channel.once('exit', (code: number | null) => {
    exitCode = code;
    void untilRead(closed, OUTPUT_GRACE_MS).then(() => {
      // A reader that takes its time gets the rest.
      if (channel.isPaused()) end();
      else cut();
    });
  });
  return { stream, ended };
}

async function look(
  ssh: SshHostDefinition,
  deps: SshDeps,
  { stageTimeoutMs, signal }: HostLookOptions,
): Promise<readonly ProbeStage[]> {
  const stages: ProbeStage[] = [];
  const ending = new AbortController();
  const step = async (stage: ProbeStageName, work: () => Promise<string>): Promise<void> => {
    const beganMs = performance.now();
    const overdue = setTimeout(() => ending.abort(), stageTimeoutMs);
    const note = (rest: Pick<ProbeStage, 'outcome' | 'code' | 'detail'>): void => {
      stages.push({ stage, durationMs: Math.round(performance.now() - beganMs), ...rest });
    };
    try {
      note({ outcome: 'ok', code: null, detail: await work() });
    } catch (error) {
      const code = error instanceof SshFailure && !ending.signal.aborted ? error.probeCode : 'probe.timeout';
      const detail = ending.signal.aborted ? `nothing within ${stageTimeoutMs} ms` : messageOf(error);
      note({ outcome: 'failed', code, detail });
      throw error;
    } finally {
      clearTimeout(overdue);
    }
  };
  try {
    const client = await connectSsh(ssh, deps, { signal: AbortSignal.any([signal, ending.signal]), step });
    client.end();
    client.destroy();
  } catch (error) {
    // Told by its stage, but for what went wrong between two of them.
    if (!stages.some(({ outcome }) => outcome === 'failed')) {
      const code = error instanceof SshFailure ? error.probeCode : 'probe.error';
      const stage = code.startsWith('host_key') ? 'host_key' : 'auth';
      stages.push({ stage, outcome: 'failed', durationMs: 0, code, detail: messageOf(error) });
    }
  }
  return stages;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
