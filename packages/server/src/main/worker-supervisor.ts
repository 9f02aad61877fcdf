/**
 * Keeps one worker running in this process: a worker that lost its session or its lease has stopped for good, and a new
 * one with a new id and a new session takes its place as soon as the database answers. It gives back what the stopped one
 * had: after a restart of PostgreSQL nobody else could know before the lease ends that it runs no more.
 */
import type { Actor, IdSource, WorkerId } from '@stella/domain';
import type { RunDeps } from '../engine/promotion-run.ts';
import { startWorker, type Worker, type WorkerOptions } from '../engine/worker.ts';
import { pause } from '../ports/clock.ts';
import type { LivenessSession } from '../store/liveness-session.ts';

/** Between tries to get a worker running again. */
const RESTART_MIN_MS = 250;
const RESTART_MAX_MS = 5_000;

export interface WorkerSupervisor {
  wake(): void;
  /** Milliseconds since the worker's loop last reached the database; null while none runs. */
  idleMs(): number | null;
  drain(patienceMs: number): Promise<void>;
}

export interface SupervisorDeps {
  readonly run: Omit<RunDeps, 'actor'>;
  readonly ids: IdSource;
  readonly openSession: () => Promise<LivenessSession>;
  readonly options: Omit<WorkerOptions, 'id' | 'session'>;
}

/** Rejects when the first worker cannot start. */
export async function superviseWorker(deps: SupervisorDeps): Promise<WorkerSupervisor> {
  const { clock, logger } = deps.run;
  const halt = new AbortController();
  let current: Running | null = await startOne(deps);
  const loop = async (): Promise<void> => {
    let delayMs = RESTART_MIN_MS;
    let former: WorkerId | null = null;
    while (!halt.signal.aborted) {
      if (current) {
        const why = await current.worker.stopped;
        await current.session.close().catch(() => undefined);
        former = current.worker.id;
        current = null;
        if (halt.signal.aborted) return;
        logger.warn({ why }, 'the worker stopped and is started again');
      }
      deps.run.watchdog.feed();
      try {
        current = await startOne(deps);
        delayMs = RESTART_MIN_MS;
        if (former !== null) await retire(deps, former);
        former = null;
      } catch (error) {
        logger.warn({ error }, 'the worker could not start');
        await pause(clock, delayMs, halt.signal);
        delayMs = Math.min(delayMs * 2, RESTART_MAX_MS);
      }
    }
  };
  const ended = loop();
  return {
    wake: () => current?.worker.wake(),
    idleMs: () => (current ? clock.monotonicMs() - current.worker.lastTurnMonotonicMs() : null),
    async drain(patienceMs) {
      halt.abort();
      await current?.worker.drain(patienceMs);
      await ended;
      deps.run.watchdog.stop();
    },
  };
}

async function retire({ run: { store, logger } }: SupervisorDeps, workerId: WorkerId): Promise<void> {
  try {
    await store.retireWorker(workerId);
  } catch (error) {
    logger.warn({ error, workerId }, 'the stopped worker could not sign off; its lease will run out');
  }
}

interface Running {
  readonly worker: Worker;
  readonly session: LivenessSession;
}

async function startOne(deps: SupervisorDeps): Promise<Running> {
  const session = await deps.openSession();
  const id = deps.ids.next('wrk');
  const actor: Actor = { kind: 'worker', id };
  try {
    return { session, worker: await startWorker({ ...deps.run, actor }, { ...deps.options, id, session }) };
  } catch (error) {
    await session.close().catch(() => undefined);
    throw error;
  }
}
