/** The real processes of this machine. Facts about others come from `/proc` where there is one, else from `ps`. */
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { runGroup, signalGroup } from './process-group.ts';
import type { ProcessFacts, Processes, RunResult } from '../ports/processes.ts';

/** Its number among the open files of every process. */
const STDERR = 2;

export const nodeProcesses: Processes = {
  runGroup,
  killGroup: (pid) => signalGroup(pid, 'SIGKILL'),

  run(argv, options) {
    const [program, ...parameters] = argv;
    return new Promise((resolve, reject) => {
      const child = execFile(
        program,
        parameters,
        {
          env: options.env,
          timeout: options.timeoutMs,
          killSignal: 'SIGKILL',
          maxBuffer: options.outputBytesMax,
          ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
          ...(options.uid === undefined ? {} : { uid: options.uid }),
          ...(options.gid === undefined ? {} : { gid: options.gid }),
        },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : error.code;
          if (typeof code === 'string' && code !== 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
            reject(error ?? new Error(`cannot start: ${code}`));
            return;
          }
          const result: RunResult = {
            exitCode: typeof code === 'number' ? code : null,
            signal: error?.signal ?? null,
            isTimedOut: error?.killed === true && error.signal === 'SIGKILL',
            stdout,
            stderr,
          };
          resolve(result);
        },
      );
      // A program that ends before it has read everything is no error of ours.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(options.input ?? '');
    });
  },

  startDetached(argv, options) {
    const [program, ...parameters] = argv;
    const log = options.logFile === null ? STDERR : openSync(options.logFile, 'a', 0o600);
    return new Promise((resolve, reject) => {
      const child = spawn(program, parameters, {
        detached: true,
        env: options.env,
        stdio: ['ignore', log, log],
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.uid === undefined ? {} : { uid: options.uid }),
        ...(options.gid === undefined ? {} : { gid: options.gid }),
      });
      if (log !== STDERR) closeSync(log);
      const ended = new Promise<{ exitCode: number | null; signal: string | null }>((settle) => {
        child.once('exit', (exitCode, signal) => settle({ exitCode, signal }));
      });
      child.once('error', reject);
      child.once('spawn', () => {
        child.unref();
        resolve({ pid: child.pid ?? -1, ended });
      });
    });
  },

  signal(pid, signal) {
    try {
      return process.kill(pid, signal);
    } catch (error) {
      // EPERM: it is there, but another user's.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  },

  inspect,

  async list() {
    const names = await readdir('/proc').catch(() => [] as string[]);
    const facts = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => inspect(Number(name))));
    return facts.filter((one): one is ProcessFacts => one !== null);
  },
};

async function inspect(pid: number): Promise<ProcessFacts | null> {
  if (!nodeProcesses.signal(pid, 0)) return null;
  const read = (name: string): Promise<string | null> => readlink(`/proc/${pid}/${name}`).catch(() => null);
  const [executable, cwd, stat] = await Promise.all([read('exe'), read('cwd'), readStat(pid)]);
  if (stat !== null && ENDED_STATES.has(stat.state)) return null;
  const startedAt = stat?.startTicks ?? null;
  return { pid, executable: executable?.replace(/ \(deleted\)$/, '') ?? null, cwd, startedAt };
}

/** Zombie and dead: the process has ended, its number is not free yet (proc(5)). */
const ENDED_STATES: ReadonlySet<string> = new Set(['Z', 'X', 'x']);

/** Fields 3 and 22 of `/proc/<pid>/stat`; the start tells a process from a later one with the same pid (proc(5)). */
async function readStat(pid: number): Promise<{ state: string; startTicks: string | null } | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: fields[19] ?? null };
}
