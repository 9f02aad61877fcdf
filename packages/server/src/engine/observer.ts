/**
 * Looks at what targets really run, environment by environment, on a schedule that lies in the database. Any number of
 * observers share it: a claim moves the due time on, so that one which dies loses nothing but time. Looking is outside of any
 * transaction and holds nothing; what was found while a promotion came to that environment is dropped.
 */
import { LOOK_GRACE_MS, type TargetDefinition, type TargetLookAt, type TargetSight } from '@stella/domain';
import { type Clock, endWithin, pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { DueRound, ObservationStore } from '../ports/observation-store.ts';
import type { Random } from '../ports/random.ts';
import type { OpenTarget } from '../ports/target.ts';

/** Nobody waits for a look, and the shortest interval that makes sense is much longer. */
const POLL_MS = 5_000;
/** Environments that one process looks at together; others wait, and are taken by other servers. */
const ROUNDS_MAX = 4;
const MESSAGE_LENGTH_MAX = 2_000;

export interface ObserverDeps {
  readonly store: ObservationStore;
  readonly openTarget: OpenTarget;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of this server, as people know it. */
  readonly name: string;
}

export interface TargetObserver {
  /** Takes nothing new, aborts what is under way and waits for its end; what was not recorded is due again. */
  stop(): Promise<void>;
}

export function startObserver(deps: ObserverDeps): TargetObserver {
  const halt = new AbortController();
  const underWay = new Set<Promise<void>>();
  const ended = run(deps, halt.signal, underWay);
  return {
    async stop() {
      halt.abort();
      await ended;
      await Promise.all(underWay);
    },
  };
}

async function run(deps: ObserverDeps, signal: AbortSignal, underWay: Set<Promise<void>>): Promise<void> {
  const { store, clock, logger } = deps;
  while (!signal.aborted) {
    let isFull = underWay.size >= ROUNDS_MAX;
    try {
      const room = ROUNDS_MAX - underWay.size;
      const taken = isFull ? [] : await store.takeDueRounds(room);
      for (const due of taken) {
        const looking: Promise<void> = observe(deps, due, signal).finally(() => underWay.delete(looking));
        underWay.add(looking);
      }
      isFull = taken.length >= room;
    } catch (error) {
      logger.warn({ error }, 'environments to look at could not be claimed');
    }
    // More may be due than there was room for: whichever ends first makes room again.
    await (isFull ? Promise.race(underWay) : pause(clock, POLL_MS, signal));
  }
}

/** Never rejects: what was not recorded is due again. */
async function observe(deps: ObserverDeps, round: DueRound, signal: AbortSignal): Promise<void> {
  const { store, logger, random, name: by } = deps;
  const { environment } = round;
  try {
    const looks = await lookAtAll(deps, round, signal);
    // Our own end says nothing of targets.
    if (signal.aborted) return;
    const jitter = (random.bytes(1)[0] ?? 0) / 256;
    const kept = await store.recordRound(round, looks, { by, jitter });
    for (const { target, driftSinceMs, lookedAtMs, digest, promised, message } of kept ?? []) {
      if (driftSinceMs !== lookedAtMs) continue;
      logger.warn({ environment, target, digest, promised, message }, 'a target runs other than what was verified');
    }
  } catch (error) {
    logger.warn({ error, environment }, 'an environment could not be looked at');
  }
}

/** In order of definition, as many together as the round says. */
async function lookAtAll(deps: ObserverDeps, round: DueRound, signal: AbortSignal): Promise<readonly TargetLookAt[]> {
  const looks: TargetLookAt[] = [];
  const waiting = [...round.targets];
  const lookOn = async (): Promise<void> => {
    for (let target = waiting.shift(); target && !signal.aborted; target = waiting.shift()) {
      // One that throws, which none should, hides nothing of the others.
      const sight = await lookAt(deps, { target, round }, signal).catch((error: unknown) => {
        deps.logger.error({ error, environment: round.environment, target: target.name }, 'a look at a target threw');
        return unseen('internal', error instanceof Error ? error.message : String(error));
      });
      looks.push({ target, sight });
    }
  };
  await Promise.all(Array.from({ length: Math.min(round.atOnce, waiting.length) }, lookOn));
  return looks;
}

interface Place {
  readonly target: TargetDefinition;
  readonly round: DueRound;
}

async function lookAt(
  { openTarget, clock }: ObserverDeps,
  { target, round: { environment, timeoutMs } }: Place,
  signal: AbortSignal,
): Promise<TargetSight> {
  return endWithin(
    clock,
    { deadlineMs: timeoutMs + LOOK_GRACE_MS, signal },
    async (ending): Promise<TargetSight> => {
      const given = await openTarget(target, environment).observe({ signal: ending, timeoutMs });
      if (given.outcome === 'errored') return unseen(given.code, given.message);
      const { digest, isHealthy, message } = given.observation;
      return { outcome: 'seen', digest, isHealthy, message: message.slice(0, MESSAGE_LENGTH_MAX) };
    },
    () => unseen('request.timeout', `no answer within ${timeoutMs} ms`),
  );
}

function unseen(code: string, message: string): TargetSight {
  return { outcome: 'unseen', code, message: message.slice(0, MESSAGE_LENGTH_MAX) };
}
