/** `GET /environments/{environment}/status`: what runs on every target as last seen, and what is going on there. */
import {
  authorize,
  componentWords,
  type Digest,
  LIVE_STATUSES,
  type Release,
  type TargetDefinition,
  type TargetObservation,
  toRfc3339,
} from '@stella/domain';
import type { EnvironmentRow, TargetLook } from '../../ports/read-store.ts';
import { presentPromotionRow } from '../present/present-promotion.ts';
import { presentEnvironment, presentLock } from '../present/present-rows.ts';
import { presentActor, presentInstant } from '../present/values.ts';
import { promisedNow, readRunning } from '../promised-now.ts';
import type { RouteHandler } from '../route-handler.ts';

/** Live promotions that are shown; the list has all of them. */
const LIVE_COUNT_MAX = 20;

export const getEnvironmentStatus: RouteHandler<'getEnvironmentStatus'> = async (
  { reads, clock },
  { caller, parameters: { environment } },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  const row = await reads.readEnvironment(environment);
  const live = { ...ALL, environment, statuses: LIVE_STATUSES, visible: [environment] };
  const [locks, promotions, looks, observations, releases] = await Promise.all([
    reads.listLocks(environment),
    reads.listPromotions(live, { limit: LIVE_COUNT_MAX, cursor: null }),
    reads.listTargetLooks(environment),
    reads.listObservations({ environment }),
    readRunning(reads, row),
  ]);
  const nowMs = clock.nowMs();
  return {
    now: toRfc3339(nowMs),
    environment: presentEnvironment(row, nowMs),
    targets: row.definition.targets.map((target) => presentTarget(target, row, { looks, observations, releases })),
    locks: locks.map(presentLock),
    promotions: promotions.rows.map(presentPromotionRow),
  };
};

const ALL = { kinds: null, releaseId: null, olderThanMs: null, lastMs: null };

interface Known {
  readonly looks: readonly TargetLook[];
  readonly observations: readonly TargetObservation[];
  readonly releases: readonly Release[];
}

function presentTarget(target: TargetDefinition, row: EnvironmentRow, known: Known): object {
  const { name, kind } = target;
  const { digest: promised } = promisedNow(target, row, known.releases);
  const own = known.looks.filter((one) => one.target === name);
  const isOperation = ({ purpose }: TargetLook): boolean => purpose === 'deploy' || purpose === 'rollback';
  const look = own.find((one) => !isOperation(one));
  const operation = own.find(isOperation);
  const observation = known.observations.find((one) => one.target === name);
  const isNewer = observation !== undefined && isSince(observation, look, operation);
  return {
    target: name,
    kind,
    component: componentWords(target),
    promised,
    ...(isNewer
      ? {
          seen: observation.digest,
          state: observedState(observation, promised, operation),
          message: observation.message,
          seenAt: presentInstant(observation.seenAtMs),
        }
      : {
          seen: look?.digest ?? null,
          state: stateOf(look, operation, promised),
          message: look?.message ?? operation?.message ?? '',
          seenAt: presentInstant(look?.endedAtMs ?? null),
        }),
    observation: observation ? presentObservation(observation) : null,
    operation: operation
      ? {
          purpose: operation.purpose,
          promotionId: operation.promotionId,
          release: operation.releaseName,
          by: presentActor(operation.requestedBy),
          at: toRfc3339(operation.startedAtMs),
          outcome: operation.outcome,
          code: operation.code,
          message: operation.message,
        }
      : null,
  };
}

function presentObservation(observation: TargetObservation): object {
  const { lookedAtMs, lookedBy: by, code, message, unseenSinceMs, driftSinceMs } = observation;
  const [unseenSince, driftSince] = [presentInstant(unseenSinceMs), presentInstant(driftSinceMs)];
  return { at: toRfc3339(lookedAtMs), by, code, message, unseenSince, driftSince };
}

/** It saw the target after every promotion that looked at it or changed it had ended with it. */
function isSince({ seenAtMs }: TargetObservation, ...before: readonly (TargetLook | undefined)[]): boolean {
  return seenAtMs !== null && before.every((one) => one === undefined || (one.endedAtMs ?? seenAtMs) < seenAtMs);
}

type State = 'untouched' | 'changing' | 'as_promised' | 'other' | 'drifted' | 'unhealthy' | 'unverified';

/** Where nothing was ever verified nor done, nothing is amiss, whatever is there. */
function observedState(
  { driftSinceMs, digest, isHealthy, promised: expected }: TargetObservation,
  promised: Digest | null,
  operation: TargetLook | undefined,
): State {
  if (driftSinceMs !== null) return 'drifted';
  if (expected === null && !operation) return 'untouched';
  if (digest !== promised) return 'other';
  return isHealthy === true ? 'as_promised' : 'unhealthy';
}

/** `unverified`: something was done there since, or was never looked at. */
function stateOf(look: TargetLook | undefined, operation: TargetLook | undefined, promised: Digest | null): State {
  if (!operation) return 'untouched';
  if (operation.outcome === null) return 'changing';
  if (!look || look.endedAtMs === null || look.startedAtMs < operation.startedAtMs) return 'unverified';
  if (look.digest !== promised) return 'other';
  return look.outcome === 'succeeded' ? 'as_promised' : 'unhealthy';
}
