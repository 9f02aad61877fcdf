/**
 * Looks at what targets really run, environment by environment, on a schedule that lies in the database and that any number
 * of observers share. Looking holds nothing; what was found while a promotion came to that environment is dropped.
 */
import { LOOK_GRACE_MS, type TargetDefinition, type TargetLookAt, type TargetSight } from '@stella/domain';
import { forEachBounded } from '../ports/bounded-parallel.ts';
import { type Clock, endWithin } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { DueRound, ObservationStore } from '../ports/observation-store.ts';
import type { Random } from '../ports/random.ts';
import type { OpenTarget } from '../ports/target.ts';
import { type ClaimLoop, startClaimLoop } from './claim-loop.ts';

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

export function startObserver(deps: ObserverDeps): ClaimLoop {
  const { store, clock, logger } = deps;
  return startClaimLoop({
    clock,
    pollMs: POLL_MS,
    atOnce: ROUNDS_MAX,
    take: (limit) => store.takeDueRounds(limit),
    onError: (error) => logger.warn({ error }, 'environments to look at could not be claimed'),
    work: (due, signal) => observe(deps, due, signal),
  });
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

/** As many together as the round says. */
async function lookAtAll(deps: ObserverDeps, round: DueRound, signal: AbortSignal): Promise<readonly TargetLookAt[]> {
  const { environment, targets, atOnce } = round;
  const looks: TargetLookAt[] = [];
  await forEachBounded(targets, atOnce, async (target) => {
    if (signal.aborted) return;
    // One that throws, which none should, hides nothing of the others.
    const sight = await lookAt(deps, { target, round }, signal).catch((error: unknown) => {
      deps.logger.error({ error, environment, target: target.name }, 'a look at a target threw');
      return unseen('internal', error instanceof Error ? error.message : String(error));
    });
    looks.push({ target, sight });
  });
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
