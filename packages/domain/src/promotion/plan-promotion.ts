/** The birth of a promotion: may this release enter this environment, and what is the first thing to do. Pure. */
import { isPlanted } from '../planted-bugs.ts';
import type { EnvironmentDefinition } from '../environment/environment-definition.ts';
import { definitionHash } from '../environment/environment-definition.ts';
import { AppError } from '../errors/app-error.ts';
import type { Actor } from '../identity/actor.ts';
import type { Release } from '../release/release.ts';
import type { Settings } from '../settings/settings.ts';
import type { IdSource, PromotionId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import { concludeDraft } from './decide/conclude.ts';
import type { Decision } from './decide/decision.ts';
import { addEvent, makeDraft, updateStep } from './decide/draft.ts';
import { decidePrecheck } from './decide/precheck.ts';
import type { EnvironmentStatus, Promotion } from './promotion.ts';
import { isOlderThanBase, runsWholeSinceMs, targetsOf } from './scope.ts';
import { NO_DEPENDENCIES, type PredecessorStatus, type PromotionSnapshot } from './snapshot.ts';
import type { Priority } from './status.ts';

export interface PromotionPlanInput {
  readonly release: Release;
  readonly definition: EnvironmentDefinition;
  readonly environment: EnvironmentStatus;
  readonly base: Release | null;
  readonly predecessors: readonly PredecessorStatus[];
  readonly priority: Priority;
  readonly requestedBy: Actor;
  readonly retryOf: PromotionId | null;
  readonly settings: Settings;
}

/**
 * Throws `promotion.not_in_predecessor` (safety S11), `promotion.older_than_base`, `promotion.same_as_base`, and
 * `input.invalid` when the release lacks a component that a target runs. "One live promotion per release and
 * environment" is the store's unique index.
 */
export function planPromotion(input: PromotionPlanInput, context: { nowMs: InstantMs; ids: IdSource }): Decision {
  refuseWhatMayNotEnter(input);
  const promotion = newPromotion(input, context);
  const snapshot: PromotionSnapshot = {
    promotion,
    release: input.release,
    steps: [],
    gateRuns: [],
    attempts: [],
    approvals: [],
    skips: [],
    debts: [],
    locks: [],
    environment: input.environment,
    base: input.base,
    formerBase: null,
    predecessors: input.predecessors,
    dependencies: NO_DEPENDENCIES,
    settings: input.settings,
    replacement: null,
  };
  const draft = makeDraft(snapshot, { ...context, guard: null, isTakeover: false }, input.requestedBy);
  addEvent(draft, 'promotion.created', {
    release: input.release.id,
    environment: input.environment.name,
    priority: input.priority,
    definition: promotion.definitionHash,
    retryOf: input.retryOf,
  });
  updateStep(draft, 'precheck', { state: 'running', startedAtMs: context.nowMs });
  decidePrecheck(draft);
  // With `queue: latest` older ones make way, each by itself, as soon as this one is there.
  draft.wakesOlder = input.definition.queue === 'latest';
  return concludeDraft(draft, { workerId: null, nextActionAtMs: context.nowMs });
}

function newPromotion(input: PromotionPlanInput, { nowMs, ids }: { nowMs: InstantMs; ids: IdSource }): Promotion {
  return {
    id: ids.next('prm'),
    releaseId: input.release.id,
    environment: input.environment.name,
    priority: input.priority,
    requestedBy: input.requestedBy,
    retryOf: input.retryOf,
    definition: input.definition,
    definitionHash: definitionHash(input.definition),
    status: 'in_progress',
    step: 'precheck',
    baseReleaseId: null,
    ticket: null,
    preflightRevision: null,
    quotaWait: null,
    createdAtMs: nowMs,
    lastProgressAtMs: nowMs,
    inProgressSinceMs: nowMs,
    deployDeadlineAtMs: null,
    cancelRequestedAtMs: null,
    cancelRequestedBy: null,
    retryRequestedAtMs: null,
    setAside: null,
    endedAtMs: null,
    ending: null,
    version: 0,
    claimEpoch: 0,
    workerId: null,
    nextActionAtMs: nowMs,
    chainHead: null,
    chainLength: 0,
  };
}

function refuseWhatMayNotEnter({ release, definition, environment, base, predecessors }: PromotionPlanInput): void {
  const names = { release: release.name, environment: definition.name };
  for (const name of definition.promotesFrom) {
    const place = predecessors.find((candidate) => candidate.name === name);
    const isMissing = !place || place.completedAtMs === null;
    if (isMissing && !isPlanted('release.not_in_predecessor')) {
      throw new AppError('promotion.not_in_predecessor', { details: { ...names, predecessor: name } });
    }
  }
  if (isOlderThanBase(environment, release)) {
    throw new AppError('promotion.older_than_base', { details: { ...names, base: base?.name ?? 'a newer release' } });
  }
  if (runsWholeSinceMs(environment, release) !== null) {
    throw new AppError('promotion.same_as_base', { details: names });
  }
  const hasNone = targetsOf({ definition }, release).length === 0;
  if (environment.concurrency === 'per_component' && !hasNone) return;
  for (const target of definition.targets) {
    if (release.components.some((component) => component.name === target.component)) continue;
    const message = `release ${release.name} has no component "${target.component}", which target ${target.name} of ${definition.name} runs`;
    throw new AppError('input.invalid', { details: { message } });
  }
}
