/**
 * The worker: claims due promotions, runs them, renews its lease, takes over from dead workers, and drains.
 *
 * Liveness (safety, "Liveness"): the lease lasts 15 s and is renewed every 5 s; by its own monotonic clock the worker
 * stops itself when no renewal succeeded for 10 s, before others may take over. Losing its session, or being declared
 * dead, stops it at once. After a stop the owner may start a new worker, with a new id. Each turn of the poll feeds the
 * watchdog, which ends a process whose loop hangs.
 */
import { isPlanted } from '@stella/domain';
import type { PromotionId, WorkerId } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import { pause } from '../ports/clock.ts';
import { type Claim, SUSPECT_FAILURES, type WorkerSession } from '../ports/engine-store.ts';
import { type PromotionRun, type RunDeps, startPromotionRun } from './promotion-run.ts';

export const LEASE_TTL_MS = 15_000;
export const LEASE_RENEW_MS = 5_000;
export const SELF_STOP_MS = 10_000;

/** Due work is looked for this often; a hint makes it sooner. */
const POLL_MS = 250;
/** Dead workers are looked for this often (safety L2 wants a takeover within 2 s). */
const BURY_MS = 500;
/** Claimed promotions of one worker: only memory, so that hung gates never use up the room (safety L6). */
const RUNS_MAX = 1_000;
/** Claims of one poll: short transactions, and work spreads over workers. */
const CLAIMS_PER_POLL = 50;
const PRUNE_EVERY_MS = 60_000;
/** Soon after the start, so that a server which is started again and again prunes too; not within it. */
const PRUNE_FIRST_MS = 2_000;
const PRUNE_ROWS_MAX = 1_000;

export interface WorkerOptions {
  readonly id: WorkerId;
  readonly hostname: string;
  readonly version: string;
  /** The session by which others see that this process lives; `lost` settles when it is gone. */
  readonly session: WorkerSession & { readonly lost: Promise<void> };
}

export type WorkerStop = 'drained' | 'session_lost' | 'lease_lost' | 'declared_dead';

export interface Worker {
  readonly id: WorkerId;
  /** There may be due work: look now. Only a hint; the poll finds it anyway. */
  wake(): void;
  /** Takes nothing new, lets effects end for `patienceMs`, aborts the rest, and gives every claim back. */
  drain(patienceMs: number): Promise<void>;
  /** Monotonic moment of the last loop turn that reached the database. */
  lastTurnMonotonicMs(): number;
  readonly runCount: () => number;
  /** Settles when the worker has stopped. Never rejects. */
  readonly stopped: Promise<WorkerStop>;
}

interface WorkerState {
  readonly runs: Map<PromotionId, PromotionRun>;
  readonly halt: AbortController;
  isDraining: boolean;
  wakeUp: AbortController;
  renewedAtMs: number;
  turnedAtMs: number;
  buriedAtMs: number;
  prunedAtMs: number;
  /** The answer to the last look for work is missing: it may have claimed something of which nobody knows. */
  isAnswerMissing: boolean;
  stop: (why: WorkerStop) => void;
}

/** Registers the worker and starts its loops. Rejects when it cannot be registered. */
export async function startWorker(deps: RunDeps, options: WorkerOptions): Promise<Worker> {
  const { store, clock } = deps;
  const { id, session, hostname, version } = options;
  const startedAtMs = clock.monotonicMs();
  await store.registerWorker({ id, session, hostname, version, leaseTtlMs: LEASE_TTL_MS });
  let resolveStop: (why: WorkerStop) => void = () => undefined;
  const stopped = new Promise<WorkerStop>((resolve) => {
    resolveStop = resolve;
  });
  const state: WorkerState = {
    runs: new Map(),
    halt: new AbortController(),
    isDraining: false,
    wakeUp: new AbortController(),
    renewedAtMs: startedAtMs,
    turnedAtMs: startedAtMs,
    buriedAtMs: Number.NEGATIVE_INFINITY,
    prunedAtMs: startedAtMs - PRUNE_EVERY_MS + PRUNE_FIRST_MS,
    isAnswerMissing: false,
    stop: (why) => {
      if (state.halt.signal.aborted) return;
      state.halt.abort();
      state.wakeUp.abort();
      deps.logger.info({ workerId: id, why }, 'worker stopped');
      for (const run of state.runs.values()) run.abandon();
      resolveStop(why);
    },
  };
  void session.lost.then(() => state.stop('session_lost'));
  void pollLoop(deps, options, state);
  void renewLoop(deps, id, state);
  void selfStopLoop(clock, state);
  deps.logger.info({ workerId: id, hostname }, 'worker started');
  return {
    id,
    wake: () => state.wakeUp.abort(),
    drain: (patienceMs) => drain(deps, id, state, patienceMs),
    lastTurnMonotonicMs: () => state.turnedAtMs,
    runCount: () => state.runs.size,
    stopped,
  };
}

async function pollLoop(deps: RunDeps, options: WorkerOptions, state: WorkerState): Promise<void> {
  const { clock, logger, watchdog } = deps;
  while (!state.halt.signal.aborted) {
    let isBusy = false;
    // A turn that fails is a turn: a database that is away is no reason to end the process.
    watchdog.feed();
    try {
      await burySometimes(deps, options.id, state);
      watchdog.feed();
      isBusy = await pollOnce(deps, options.id, state);
      watchdog.feed();
      state.turnedAtMs = clock.monotonicMs();
      pruneSometimes(deps, state);
    } catch (error) {
      logger.warn({ error }, 'a poll failed');
    }
    if (!isBusy) {
      await pause(clock, POLL_MS, state.wakeUp.signal);
      if (state.wakeUp.signal.aborted) state.wakeUp = new AbortController();
    }
  }
}

/** Not at each poll, however many hints there are. */
async function burySometimes({ store, clock, logger }: RunDeps, id: WorkerId, state: WorkerState): Promise<void> {
  if (clock.monotonicMs() - state.buriedAtMs < BURY_MS) return;
  state.buriedAtMs = clock.monotonicMs();
  const buried = await store.buryDeadWorkers(id);
  for (const workerId of buried) logger.warn({ workerId }, 'worker declared dead');
}

/** True when there was as much as one poll takes: more may be waiting. */
async function pollOnce(deps: RunDeps, id: WorkerId, state: WorkerState): Promise<boolean> {
  const { store } = deps;
  const room = state.isDraining ? 0 : Math.min(CLAIMS_PER_POLL, RUNS_MAX - state.runs.size);
  const scope = state.isAnswerMissing ? 'all' : 'due';
  state.isAnswerMissing = true;
  const due = await store.takeDueWork(id, room, scope);
  state.isAnswerMissing = false;
  if (state.halt.signal.aborted) return false;
  if (due.claimed.length > 0) await deps.faults.hit('engine.claimed');
  for (const claim of due.claimed) {
    state.runs.get(claim.promotionId)?.abandon();
    beginRun(deps, state, claim);
  }
  for (const claim of due.owned) {
    const run = state.runs.get(claim.promotionId);
    if (run) {
      // When all are told, most are not due; those that are, the next look tells.
      if (scope === 'due') run.poke();
    }
    // Its claim committed, but the answer was lost: nobody else may take it, so it is ours to run.
    else if (room > 0 && !isPlanted('claim.answer_lost')) beginRun(deps, state, claim);
  }
  return room > 0 && due.claimed.length === room;
}

function beginRun(deps: RunDeps, state: WorkerState, claim: Claim): void {
  const run = startPromotionRun(deps, claim);
  state.runs.set(claim.promotionId, run);
  // The next suspect waits for this one only, not for a poll: a dead worker may leave many of them (safety L2).
  if (claim.failureCount >= SUSPECT_FAILURES) void run.written.then(() => state.wakeUp.abort());
  void run.ended.then(() => {
    if (state.runs.get(claim.promotionId) === run) state.runs.delete(claim.promotionId);
  });
}

async function renewLoop({ store, clock, logger, metrics }: RunDeps, id: WorkerId, state: WorkerState): Promise<void> {
  while (!state.halt.signal.aborted) {
    await pause(clock, LEASE_RENEW_MS, state.halt.signal);
    if (state.halt.signal.aborted) return;
    const askedAtMs = clock.monotonicMs();
    try {
      if (!(await store.renewLease(id, LEASE_TTL_MS))) {
        state.stop('declared_dead');
        return;
      }
      state.renewedAtMs = askedAtMs;
      metrics.workerRenewed(askedAtMs);
    } catch (error) {
      logger.warn({ error, workerId: id }, 'the lease could not be renewed');
    }
  }
}

/** Apart from the renewal, which may hang in the database: looks only at the monotonic clock. */
async function selfStopLoop(clock: Clock, state: WorkerState): Promise<void> {
  while (!state.halt.signal.aborted) {
    const leftMs = state.renewedAtMs + SELF_STOP_MS - clock.monotonicMs();
    if (leftMs <= 0) {
      state.stop('lease_lost');
      return;
    }
    await pause(clock, Math.min(leftMs, POLL_MS * 4), state.halt.signal);
  }
}

/** Beside the loop, which must not wait for it: it may take as long as its statements' deadlines. */
function pruneSometimes({ store, clock, logger }: RunDeps, state: WorkerState): void {
  if (clock.monotonicMs() - state.prunedAtMs < PRUNE_EVERY_MS) return;
  state.prunedAtMs = clock.monotonicMs();
  store.prune(PRUNE_ROWS_MAX).catch((error: unknown) => logger.warn({ error }, 'old rows could not be removed'));
}

async function drain(
  { store, clock, logger }: RunDeps,
  id: WorkerId,
  state: WorkerState,
  patienceMs: number,
): Promise<void> {
  if (state.halt.signal.aborted) return;
  state.isDraining = true;
  const runs = [...state.runs.values()];
  logger.info({ workerId: id, runs: runs.length, patienceMs }, 'worker drains');
  const allEnded = Promise.all(runs.map((run) => run.ended));
  const patience = new AbortController();
  void allEnded.then(() => patience.abort());
  await pause(clock, patienceMs, patience.signal);
  for (const run of state.runs.values()) run.abortEffects();
  await Promise.race([allEnded, pause(clock, DRAIN_ABORT_MS)]);
  try {
    await store.retireWorker(id);
  } catch (error) {
    logger.warn({ error, workerId: id }, 'the worker could not sign off; its lease will run out');
  }
  state.stop('drained');
}

/** Aborted effects get so long to bring their outcome before the claims are given back. */
const DRAIN_ABORT_MS = 2_000;
