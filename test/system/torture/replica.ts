/** One replica of the server: a process of its own, started again whenever it has ended, until the run is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Fault } from '@stella/testkit';

/** Before another try when it could not start, for the database may be away. */
const RESTART_MS = 250;
/** The last lines of its log, for a failed run. */
const LOG_LINES_MAX = 400;
const WORDS_LINES = 12;

export interface ReplicaOptions {
  readonly name: string;
  readonly role: 'all' | 'worker';
  readonly dataDir: string;
  /** Bundle of the server with a fault that can be armed. */
  readonly program: string;
  /** Fresh for each start: clocks differ from life to life. */
  readonly environment: () => Readonly<Record<string, string>>;
  /** What it is put behind. */
  readonly enter?: readonly string[];
}

export interface Death {
  readonly replica: string;
  /** Null when it had none yet. */
  readonly workerId: string | null;
  readonly how: string;
  /** The end of its log. */
  readonly words: string;
}

export interface Replica {
  readonly name: string;
  /** Empty while it does not listen. */
  url(): string;
  workerId(): string | null;
  isUp(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Dies by itself at the hit of a point; replaces what was armed. */
  arm(fault: Fault): void;
  log(): readonly string[];
  /** No start any more. Resolves when it has drained. */
  stop(): Promise<void>;
}

export function keepReplica(options: ReplicaOptions, onDeath: (death: Death) => void): Replica {
  const lines: string[] = [];
  let child: ChildProcess;
  let isStopping = false;
  let isUp = false;
  let url = '';
  let workerId: string | null = null;
  let whenEnded = (): void => undefined;
  const start = (): void => {
    child = launch(options);
    const read = (line: string): void => {
      lines.push(line);
      if (lines.length > LOG_LINES_MAX) lines.shift();
      if (line === 'ready') isUp = true;
      if (!line.startsWith('{')) return;
      // The server's own log: one object a line.
      const entry = JSON.parse(line) as { msg?: string; workerId?: string; url?: string };
      if (entry.msg === 'worker started') workerId = entry.workerId ?? null;
      if (entry.msg === 'listening') url = entry.url ?? '';
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => tryRead(read, line));
    }
    child.stdin?.on('error', () => undefined);
    child.once('close', (code, signal) => {
      const how = signal ?? `exit ${code}`;
      const hadStarted = isUp;
      const words = lines.slice(-WORDS_LINES).join('\n');
      const death = { replica: options.name, workerId, how, words };
      isUp = false;
      url = '';
      workerId = null;
      if (isStopping) {
        whenEnded();
        return;
      }
      if (hadStarted || how === 'SIGKILL') onDeath(death);
      setTimeout(() => !isStopping && start(), hadStarted || how === 'SIGKILL' ? 0 : RESTART_MS);
    });
  };
  start();
  return {
    name: options.name,
    url: () => url,
    workerId: () => workerId,
    isUp: () => isUp,
    signal: (signal) => void child.kill(signal),
    arm: (fault) => void child.stdin?.write(`${JSON.stringify(fault)}\n`),
    log: () => lines,
    async stop() {
      isStopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => {
        whenEnded = resolve;
      });
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Written by the replica that was first; the others have none. */
export async function readAdminToken(dataDirs: readonly string[]): Promise<string> {
  const files = dataDirs.map((directory) => join(directory, 'admin.token')).filter((path) => existsSync(path));
  const [file] = files;
  if (file === undefined || files.length > 1) throw new Error(`${files.length} replicas wrote a token`);
  return (await readFile(file, 'utf8')).trim();
}

function launch({ role, dataDir, program, environment, enter = [] }: ReplicaOptions): ChildProcess {
  const command = [...enter, process.execPath, program, JSON.stringify({ dataDir, role })];
  const [file = '', ...args] = command;
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('STELLA_'));
  return spawn(file, args, {
    env: { ...Object.fromEntries(kept), ...environment() },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** A line that was cut off by a kill is no object. */
function tryRead(read: (line: string) => void, line: string): void {
  try {
    read(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
}
