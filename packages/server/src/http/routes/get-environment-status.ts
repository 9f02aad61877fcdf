/** `GET /environments/{environment}/status`: what runs on every target as last verified, and what is going on there. */
import {
  authorize,
  componentWords,
  type Digest,
  promisedDigestOf,
  LIVE_STATUSES,
  type Release,
  type TargetDefinition,
  toRfc3339,
} from '@stella/domain';
import type { EnvironmentRow, TargetLook } from '../../ports/read-store.ts';
import { presentPromotionRow } from '../present/present-promotion.ts';
import { presentEnvironment, presentLock } from '../present/present-rows.ts';
import { presentActor, presentInstant } from '../present/values.ts';
import type { RouteHandler } from '../route-handler.ts';

/** Live promotions that are shown; the list has all of them. */
const LIVE_COUNT_MAX = 20;

export const getEnvironmentStatus: RouteHandler<'getEnvironmentStatus'> = async (
  { reads, clock },
  { caller, parameters: { environment } },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  const row = await reads.readEnvironment(environment);
  const ids = [...new Set(row.status.components.flatMap((one) => one.releaseId ?? []))];
  const live = { ...ALL, environment, statuses: LIVE_STATUSES, visible: [environment] };
  const [locks, promotions, looks, releases] = await Promise.all([
    reads.listLocks(environment),
    reads.listPromotions(live, { limit: LIVE_COUNT_MAX, cursor: null }),
    reads.listTargetLooks(environment),
    Promise.all(ids.map((id) => reads.findRelease(id))),
  ]);
  const nowMs = clock.nowMs();
  return {
    now: toRfc3339(nowMs),
    environment: presentEnvironment(row, nowMs),
    targets: row.definition.targets.map((target) => presentTarget(target, row, { looks, releases })),
    locks: locks.map(presentLock),
    promotions: promotions.rows.map(presentPromotionRow),
  };
};

const ALL = { kinds: null, releaseId: null, olderThanMs: null, lastMs: null };

interface Known {
  readonly looks: readonly TargetLook[];
  readonly releases: readonly Release[];
}

function presentTarget(target: TargetDefinition, row: EnvironmentRow, known: Known): object {
  const { name, kind } = target;
  const promised = promisedNow(target, row, known.releases);
  const own = known.looks.filter((one) => one.target === name);
  const isOperation = ({ purpose }: TargetLook): boolean => purpose === 'deploy' || purpose === 'rollback';
  const look = own.find((one) => !isOperation(one));
  const operation = own.find(isOperation);
  return {
    target: name,
    kind,
    component: componentWords(target),
    promised,
    seen: look?.digest ?? null,
    state: stateOf(look, operation, promised),
    message: look?.message ?? operation?.message ?? '',
    seenAt: presentInstant(look?.endedAtMs ?? null),
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

/** Of what each component of it runs now. */
function promisedNow(
  target: TargetDefinition,
  { status }: EnvironmentRow,
  releases: readonly Release[],
): Digest | null {
  const components = status.components.flatMap(({ component, releaseId }) => {
    const release = releases.find((one) => one.id === releaseId);
    return release?.components.find((one) => one.name === component) ?? [];
  });
  return promisedDigestOf(target, { components });
}

/** `unverified`: something was done there since, or was never looked at. */
function stateOf(
  look: TargetLook | undefined,
  operation: TargetLook | undefined,
  promised: Digest | null,
): 'untouched' | 'changing' | 'as_promised' | 'other' | 'unhealthy' | 'unverified' {
  if (!operation) return 'untouched';
  if (operation.outcome === null) return 'changing';
  if (!look || look.endedAtMs === null || look.startedAtMs < operation.startedAtMs) return 'unverified';
  if (look.digest !== promised) return 'other';
  return look.outcome === 'succeeded' ? 'as_promised' : 'unhealthy';
}
