/**
 * An orchestrator of a drill's own, for what would stop everybody's promotions: its processes, its PostgreSQL and its data
 * lie below the directory of the drill, and end with it. It is managed by a supervisor of its own, as `stella service` does
 * it, so that the remedies of a diagnosis are the real commands.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Client, makeClient } from '@stella/contract/client';
import type { DrillPlace, OwnAddress } from '../place.ts';
import { unexpected } from '../unexpected.ts';

/** A first start makes the database; on a busy machine that takes a while. */
const COMMAND_TIMEOUT_MS = 180_000;
const CALL_TIMEOUT_MS = 60_000;
/** How often it is tried again where nothing is wrong for long. */
const LOG_LEVEL = 'warn';

export interface OwnOrder {
  /**
   * `single`: one process with API and worker, on its own PostgreSQL. `pair`: one with the API alone, which has the
   * PostgreSQL, and a second one with API and worker, which is the one that is broken: so that somebody answers meanwhile.
   */
  readonly shape: 'single' | 'pair';
  /** Before its first start, with the address at which everything of the drill listens. */
  readonly prepare?: (place: DrillPlace, address: string) => Promise<void>;
  /** Variables of its processes, beside those that it gets. */
  readonly variables?: (place: DrillPlace) => Readonly<Record<string, string>>;
}

interface Order {
  readonly place: DrillPlace;
  readonly address: string;
  readonly own: OwnOrder;
}

export async function startOwn({ place, address, own }: Order): Promise<OwnAddress> {
  await own.prepare?.(place, address);
  const [first, second] = place.own;
  const more = own.variables?.(place) ?? {};
  const listen = `${address}:${await findPort(address)}`;
  const role = own.shape === 'pair' ? 'api' : 'all';
  await startManaged(place, first, { ...more, STELLA_LISTEN: listen, STELLA_ROLE: role });
  const at = { server: `http://${listen}`, tokenFile: join(first, 'admin.token') };
  if (own.shape === 'single') return { ...at, dataDir: first };
  const socket = encodeURIComponent(join(first, 'run'));
  const urlOf = (user: string): string => `postgres://${user}@/stella?host=${socket}`;
  await startManaged(place, second, {
    ...more,
    STELLA_LISTEN: `${address}:${await findPort(address)}`,
    STELLA_DATABASE_URL: urlOf('stella_app'),
    STELLA_DATABASE_OWNER_URL: urlOf('stella_owner'),
  });
  return { ...at, dataDir: second };
}

type Variables = Readonly<Record<string, string>>;

async function startManaged(place: DrillPlace, dataDir: string, variables: Variables): Promise<void> {
  const env = {
    ...variables,
    STELLA_TARGET_DIRECTORIES: place.directory,
    STELLA_LAYOUT_DIRECTORIES: place.directory,
    STELLA_COMMAND_DIRECTORIES: place.directory,
    STELLA_SECRETS_DIRECTORY: place.directory,
    STELLA_LOG_LEVEL: LOG_LEVEL,
  };
  const order = ['orchestrator', '--manager', 'supervisor', '--data-dir', dataDir];
  await runStella(['service', 'install', ...order], env);
  await runStella(['service', 'start', ...order], { ...variablesOfNode(variables), STELLA_SERVER: 'http://127.0.0.1' });
}

/** Those that the installation does not keep, because they are not Stella's: the supervisor hands them on. */
function variablesOfNode(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !name.startsWith('STELLA_')));
}

export function clientOfOwn({ server, tokenFile }: OwnAddress): Client {
  const token = readFileSync(tokenFile, 'utf8').trim();
  return makeClient({ server, token, timeoutMs: CALL_TIMEOUT_MS });
}

/** Of commands that are meant for it: as somebody would set them who works on its machine. */
export function variablesOfOwn({ server, tokenFile, dataDir }: OwnAddress): Variables {
  return { STELLA_SERVER: server, STELLA_TOKEN_FILE: tokenFile, STELLA_DATA_DIR: dataDir };
}

/** Ends all of its processes, also those that are stopped or that nobody manages any more. Idempotent. */
export async function stopOwn({ own }: DrillPlace): Promise<void> {
  for (const dataDir of own.toReversed()) {
    if (!existsSync(join(dataDir, 'service'))) continue;
    // Nothing of it is worth a drain.
    await killOwn(dataDir);
    await runStella(['service', 'stop', 'orchestrator', '--data-dir', dataDir], { STELLA_SERVER: 'http://127.0.0.1' });
  }
}

/** As a power cut does it: the supervisor first, so that it starts nothing again. Its PostgreSQL stays. */
export async function killOwn(dataDir: string): Promise<void> {
  for (const one of ['supervisorPid', 'pid'] as const) {
    const pid = (await readStatus(dataDir))[one];
    if (pid !== null) kill(pid);
  }
}

interface Status {
  readonly pid: number | null;
  readonly supervisorPid: number | null;
}

/** Only processes that are certainly of this data directory. */
async function readStatus(dataDir: string): Promise<Status> {
  const args = ['service', 'status', 'orchestrator', '--data-dir', dataDir, '-o', 'json'];
  // Of `stella service status`, whatever its exit code.
  return JSON.parse(await runStella(args, { STELLA_SERVER: 'http://127.0.0.1' }, isStatus)) as Status;
}

const isStatus = (out: string): boolean => out.trimStart().startsWith('{');

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

/** This program, with nothing of Stella's in its environment but `variables`. Answers what it wrote. */
export function runStella(
  args: readonly string[],
  variables: Variables,
  isEnough: (out: string) => boolean = () => false,
): Promise<string> {
  const [, program = ''] = process.argv;
  const foreign = Object.entries(process.env).filter(([name]) => !name.startsWith('STELLA_'));
  const env = { ...Object.fromEntries(foreign), ...variables };
  const words = [...process.execArgv, program, ...args];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, words, { env, timeout: COMMAND_TIMEOUT_MS }, (error, out, err) => {
      if (error && !isEnough(out)) reject(unexpected(`stella ${args.join(' ')}: ${err.trim() || error.message}`));
      else resolve(out);
    });
  });
}

/** A free one of the address; the drill has that to itself, as a rule. */
function findPort(address: string): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, address, () => {
      const at = server.address();
      const port = typeof at === 'object' && at !== null ? at.port : 0;
      server.close(() => resolve(port));
    });
  });
}
