/**
 * Keeps one orchestrator running where there is no systemd. It starts the server as a process of its own session, which
 * lives on when the supervisor is killed; the next supervisor adopts it by the owner's file of the data directory. A
 * server that ends is started again after a pause that grows with each failure; it never gives up, and says what holds it
 * up. Relies on `data-dir/` for there being one server, and one supervisor, per data directory.
 */
import { type Clock, pause } from '../ports/clock.ts';
import { type DataDirOwner, OWNER_FILE, ownDataDir } from '../data-dir/data-dir-owner.ts';
import type { EmbeddedDeps } from '../postgres/embedded-deps.ts';
import { stopEmbedded } from '../postgres/left-running.ts';
import { boundLog, logEnd, readLogTail } from '../postgres/log-file.ts';
import type { StartedProcess } from '../ports/processes.ts';
import type { Random } from '../ports/random.ts';
import { endProcess, isRunning } from './end-process.ts';
import { findOwner } from './find-owner.ts';
import { makePlace, placeOf, type ServicePlace, SUPERVISOR_FILE } from './service-place.ts';
import { type LastExit, type ProcessName, readState, type SupervisorState, writeState } from './service-state.ts';

/** After the first failure; doubled with each that follows. */
const PAUSE_MS_MIN = 500;
/** Long enough to spare the machine, short enough to be back soon after the cause is gone. */
const PAUSE_MS_MAX = 60_000;
/** A server that ran for so long was well: the next failure counts as the first. */
const HEALTHY_MS = 60_000;
const LOOK_MS = 250;
/** For the word of how a process has ended; a busy machine brings it late. */
const END_WORD_MS = 30_000;
/** Of looks, until the size of the log is looked at: 5 s. */
const LOG_CHECK_ROUNDS = 20;

export interface SupervisorDeps {
  readonly embedded: EmbeddedDeps;
  readonly random: Random;
  /** Of this process. */
  readonly pid: number;
}

export interface SupervisorOrder {
  readonly dataDir: string;
  /** The server's program and arguments, and its whole environment, asked for at each start. */
  readonly command: () => Promise<{
    readonly argv: readonly [string, ...string[]];
    readonly env: Record<string, string>;
  }>;
  /** Null: the server writes to the output of this process, and nothing bounds it here. */
  readonly logFile: string | null;
  /** Starts nothing and ends what an earlier supervisor left: for a stop when that one is gone. */
  readonly isOnlyToStop?: boolean;
}

export interface Supervisor {
  /** The server drains, PostgreSQL stays, and a new server is started; also out of a pause. */
  restart(): void;
  /** Server and PostgreSQL end, then `ended` settles. Idempotent. */
  stop(): void;
  readonly ended: Promise<void>;
}

interface Wishes {
  isRestartWished: boolean;
  isStopWished: boolean;
  /** Aborts when a wish comes. */
  wake: AbortController;
}

interface Run {
  readonly deps: SupervisorDeps;
  readonly order: SupervisorOrder;
  readonly place: ServicePlace;
  readonly wishes: Wishes;
  state: SupervisorState;
}

/** Errors: `data_dir.owned` when another supervisor runs there; `data_dir.unusable`. */
export async function startSupervisor(deps: SupervisorDeps, order: SupervisorOrder): Promise<Supervisor> {
  const place = placeOf(order.dataDir);
  const { fileSystem, processes } = deps.embedded;
  await makePlace(fileSystem, place);
  const owner = await ownDataDir({ ...ownerDepsOf(deps) }, place.directory, SUPERVISOR_FILE);
  const wishes: Wishes = {
    isRestartWished: false,
    isStopWished: order.isOnlyToStop === true,
    wake: new AbortController(),
  };
  const self = await processes.inspect(deps.pid);
  const supervisor = { pid: deps.pid, startedAt: self?.startedAt ?? null };
  const earlier = await readState(fileSystem, place);
  const state: SupervisorState = {
    ...(earlier ?? BLANK),
    phase: 'starting',
    supervisor,
    failureCount: 0,
    nextStartAtMs: null,
    note: null,
    logFile: order.logFile,
  };
  const run: Run = { deps, order, place, wishes, state };
  await note(run, {});
  const wish = (change: () => void) => () => {
    change();
    wishes.wake.abort();
  };
  return {
    restart: wish(() => (wishes.isRestartWished = true)),
    stop: wish(() => (wishes.isStopWished = true)),
    ended: untilStopped(run, owner),
  };
}

async function untilStopped(run: Run, owner: DataDirOwner): Promise<void> {
  try {
    await supervise(run);
  } finally {
    await owner.release();
  }
}

const BLANK = { server: null, serverSinceMs: null, restartCount: 0, lastExit: null } as const;

async function supervise(run: Run): Promise<void> {
  const { deps, wishes } = run;
  const { clock, logger } = deps.embedded;
  while (!wishes.isStopWished) {
    try {
      await superviseOne(run);
    } catch (error) {
      // Such as a full disk or no more processes: it may pass.
      wishes.isRestartWished = false;
      logger.error({ error }, 'the supervisor could not start the orchestrator');
      await note(run, { phase: 'waiting', note: error instanceof Error ? error.message : String(error) });
      await pauseUnlessWished(clock, wishes, PAUSE_MS_MIN);
    }
  }
  await endLeftServer(run);
  await stopDatabase(run);
  await note(run, { phase: 'stopped', server: null, serverSinceMs: null, note: null });
  logger.info({}, 'the service has stopped');
}

/** One server from its start or adoption to its end, and the pause after it. */
async function superviseOne(run: Run): Promise<void> {
  const { deps, wishes } = run;
  const { clock, logger } = deps.embedded;
  const server = await adoptOrStart(run);
  if (server === null) return pauseUnlessWished(clock, wishes, pauseMsAfter(run.state.failureCount));
  const startedMs = clock.monotonicMs();
  await watch(run, server);
  const wasAsked = wishes.isRestartWished || wishes.isStopWished;
  if (await server.isAlive()) {
    await note(run, { phase: 'draining' });
    const how = await endProcess(deps.embedded, server.name, wishes.isStopWished ? 'SIGTERM' : 'SIGUSR2');
    logger.info({ pid: server.name.pid, how }, 'the orchestrator was told to end');
  }
  // A second wish that came meanwhile asked for what happens now.
  wishes.isRestartWished = false;
  const lastExit = await describeEnd(run, server, wasAsked);
  if (wasAsked) {
    await note(run, { phase: 'starting', server: null, serverSinceMs: null, failureCount: 0, lastExit });
    return;
  }
  const wasHealthy = clock.monotonicMs() - startedMs >= HEALTHY_MS;
  const failureCount = wasHealthy ? 1 : run.state.failureCount + 1;
  const pauseMs = pauseMsAfter(failureCount);
  logger.error({ ...lastExit, failureCount, pauseMs }, 'the orchestrator ended and is started again');
  // In one: who reads that it failed once too often also reads why.
  await note(run, {
    phase: 'waiting',
    server: null,
    serverSinceMs: null,
    failureCount,
    restartCount: run.state.restartCount + 1,
    lastExit,
    nextStartAtMs: clock.nowMs() + pauseMs,
    note: lastExit.words || null,
  });
  await pauseUnlessWished(clock, wishes, pauseMs);
}

function pauseMsAfter(failureCount: number): number {
  return Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.max(0, failureCount - 1));
}

interface Server {
  readonly name: ProcessName;
  /** How it ended; null for an adopted one, whose end only its parent is told. */
  readonly ended: StartedProcess['ended'] | null;
  readonly isAlive: () => Promise<boolean>;
  /** Where its words begin in the log. */
  readonly logFrom: number;
}

/** Null when somebody else's server owns the data directory; then it is noted. */
async function adoptOrStart(run: Run): Promise<Server | null> {
  const { deps, order, wishes } = run;
  const { processes, fileSystem, logger, clock } = deps.embedded;
  const found = await findOwner({ ...deps.embedded, pid: deps.pid }, order.dataDir, OWNER_FILE);
  if (found?.kind === 'here' && found.owner.manager === 'supervisor') {
    const { pid, startedAt } = found.owner;
    logger.info({ pid }, 'goes on with the orchestrator that runs');
    const sinceMs = run.state.server?.pid === pid ? run.state.serverSinceMs : null;
    return serverOf(run, { pid, startedAt }, { sinceMs: sinceMs ?? clock.nowMs(), ended: null, logFrom: 0 });
  }
  if (found?.kind === 'here') {
    const words = `a server that was started by hand, pid ${found.owner.pid}, owns ${order.dataDir}`;
    wishes.isRestartWished = false;
    if (run.state.phase !== 'blocked') logger.error({ pid: found.owner.pid }, words);
    await note(run, { phase: 'blocked', server: null, serverSinceMs: null, note: words });
    return null;
  }
  wishes.isRestartWished = false;
  const { argv, env } = await order.command();
  const logFrom = order.logFile === null ? 0 : await logEnd({ fileSystem }, order.logFile);
  const started = await processes.startDetached(argv, { env, logFile: order.logFile, cwd: order.dataDir });
  const facts = await processes.inspect(started.pid);
  const name = { pid: started.pid, startedAt: facts?.startedAt ?? null };
  return serverOf(run, name, { sinceMs: clock.nowMs(), ended: started.ended, logFrom });
}

async function serverOf(
  run: Run,
  name: ProcessName,
  { sinceMs, ended, logFrom }: { sinceMs: number } & Pick<Server, 'ended' | 'logFrom'>,
): Promise<Server> {
  await note(run, { phase: 'running', server: name, serverSinceMs: sinceMs, nextStartAtMs: null, note: null });
  return { name, ended, logFrom, isAlive: () => isRunning(run.deps.embedded, name) };
}

/** Until the server has ended, or is to end. */
async function watch({ deps, order, wishes }: Run, server: Server): Promise<void> {
  const { clock, fileSystem, logger } = deps.embedded;
  for (let round = 1; await server.isAlive(); round += 1) {
    if (wishes.isRestartWished || wishes.isStopWished) return;
    if (round % LOG_CHECK_ROUNDS === 0 && order.logFile !== null) {
      await boundLog({ fileSystem }, order.logFile).catch((error: unknown) =>
        logger.warn({ error }, 'the log could not be cut'),
      );
    }
    await pauseUnlessWished(clock, wishes, LOOK_MS);
  }
}

async function describeEnd({ deps, order }: Run, server: Server, wasAsked: boolean): Promise<LastExit> {
  const { clock, fileSystem } = deps.embedded;
  // Its end is told a moment after it is seen.
  const how = await Promise.race([server.ended, pause(clock, END_WORD_MS).then(() => null)]);
  const isClean = wasAsked || order.logFile === null;
  const words = isClean ? '' : await readLogTail({ fileSystem }, order.logFile, server.logFrom).catch(() => '');
  return {
    atMs: clock.nowMs(),
    exitCode: how?.exitCode ?? null,
    signal: how?.signal ?? null,
    wasAsked,
    words: plainWords(words),
  };
}

/** What the command line of the server said as it failed; its structured log says what came before. */
function plainWords(words: string): string {
  return words
    .split(' | ')
    .filter((line) => line.startsWith('error: '))
    .join(' ')
    .replace('error: ', '');
}

/** One that an earlier supervisor started and this one never came to watch. */
async function endLeftServer({ deps, order }: Run): Promise<void> {
  const found = await findOwner({ ...deps.embedded, pid: deps.pid }, order.dataDir, OWNER_FILE);
  if (found?.kind !== 'here' || found.owner.manager !== 'supervisor') return;
  await endProcess(deps.embedded, found.owner, 'SIGTERM');
}

/** Nobody else may start a server meanwhile, so the directory is owned for so long. */
async function stopDatabase({ deps, order }: Run): Promise<void> {
  await stopLeftDatabase(deps, order.dataDir).catch((error: unknown) =>
    deps.embedded.logger.error({ error }, 'PostgreSQL was not stopped'),
  );
}

/** Errors: `data_dir.owned` when a server runs there, whose database it is. */
export async function stopLeftDatabase(deps: SupervisorDeps, dataDir: string): Promise<void> {
  const owner = await ownDataDir(ownerDepsOf(deps), dataDir);
  try {
    await stopEmbedded(deps.embedded, dataDir);
  } finally {
    await owner.release();
  }
}

function ownerDepsOf({ embedded, random, pid }: SupervisorDeps): Parameters<typeof ownDataDir>[0] {
  const { fileSystem, processes, clock } = embedded;
  return { fileSystem, processes, clock, random, pid };
}

/** A state that cannot be written stops nothing: the disk may be full. */
async function note(run: Run, change: Partial<SupervisorState>): Promise<void> {
  run.state = { ...run.state, ...change };
  const { fileSystem, logger } = run.deps.embedded;
  await writeState(fileSystem, run.place, run.state).catch((error: unknown) =>
    logger.warn({ error }, 'the state of the service could not be written'),
  );
}

async function pauseUnlessWished(clock: Clock, wishes: Wishes, pauseMs: number): Promise<void> {
  if (!wishes.isRestartWished && !wishes.isStopWished) await pause(clock, pauseMs, wishes.wake.signal);
  wishes.wake = new AbortController();
}
