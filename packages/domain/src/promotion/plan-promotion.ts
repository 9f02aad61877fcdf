/** The birth of a promotion: may this release enter this environment, and what is the first thing to do. Pure. */
import { isPlanted } from '../planted-bugs.ts';
import type { EnvironmentDefinition } from '../environment/environment-definition.ts';
import { definitionHash } from '../environment/environment-definition.ts';
import { endsOfBreaks, type ObservedBreak } from '../environment/soundness.ts';
import { componentsOf } from '../environment/target-components.ts';
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
import { asksPredecessors } from './gates-of.ts';
import { baseIdOf, isOlderThanBase, runsWholeSinceMs, targetsOf } from './scope.ts';
import { NO_DEPENDENCIES, type PredecessorStatus, type PromotionSnapshot } from './snapshot.ts';
import type { Priority, PromotionKind } from './status.ts';

export interface PromotionWay {
  readonly kind: PromotionKind;
  readonly isForced: boolean;
  /** The release has completed in this environment before. */
  readonly hasCompletedHere: boolean;
}

const PROMOTED: PromotionWay = { kind: 'promote', isForced: false, hasCompletedHere: false };

export interface PromotionPlanInput {
  readonly release: Release;
  readonly definition: EnvironmentDefinition;
  readonly environment: EnvironmentStatus;
  readonly base: Release | null;
  readonly predecessors: readonly PredecessorStatus[];
  readonly priority: Priority;
  readonly requestedBy: Actor;
  readonly retryOf: PromotionId | null;
  /** Absent: it is promoted through the pipeline. */
  readonly way?: PromotionWay;
  /** As it was given; absent or empty: none. */
  readonly reason?: string;
  readonly settings: Settings;
  /** What looks found there (`PredecessorStatus`): what runs no more, or not well, may be brought again. Absent: nothing. */
  readonly breaks?: readonly ObservedBreak[];
}

/**
 * Throws `promotion.not_in_predecessor` (safety S11), `promotion.older_than_base`, `promotion.same_as_base`,
 * `rollback.never_completed`, `rollback.not_older`, and `input.invalid` when the release lacks a component that a target runs. "One live promotion per release and
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
    ...(promotion.kind === 'promote' ? {} : { kind: promotion.kind, isForced: promotion.isForced }),
    priority: input.priority,
    definition: promotion.definitionHash,
    retryOf: input.retryOf,
    ...(input.reason ? { reason: input.reason } : {}),
  });
  updateStep(draft, 'precheck', { state: 'running', startedAtMs: context.nowMs });
  decidePrecheck(draft);
  // With `queue: latest` older ones make way, each by itself, as soon as this one is there.
  draft.wakesOlder = input.definition.queue === 'latest';
  return concludeDraft(draft, { workerId: null, nextActionAtMs: context.nowMs });
}

function newPromotion(input: PromotionPlanInput, { nowMs, ids }: { nowMs: InstantMs; ids: IdSource }): Promotion {
  const { kind, isForced } = input.way ?? PROMOTED;
  return {
    id: ids.next('prm'),
    releaseId: input.release.id,
    environment: input.environment.name,
    kind,
    isForced,
    priority: input.priority,
    requestedBy: input.requestedBy,
    retryOf: input.retryOf,
    definition: input.definition,
    definitionHash: definitionHash(input.definition),
    status: 'in_progress',
    step: 'precheck',
    // A rollback is bound to what it shall take away, from the moment it is asked for.
    baseReleaseId: kind === 'rollback' ? baseIdOf(input.environment, input.release) : null,
    baseState: null,
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

function refuseWhatMayNotEnter(input: PromotionPlanInput): void {
  const { release, definition, environment, predecessors, way = PROMOTED } = input;
  const names = { release: release.name, environment: definition.name };
  for (const name of asksPredecessors(way) ? definition.promotesFrom : []) {
    const place = predecessors.find((candidate) => candidate.name === name);
    const isMissing = !place || place.completedAtMs === null;
    if (isMissing && way.kind === 'deploy') throw notThereYet(input, name);
    if (isMissing && !isPlanted('release.not_in_predecessor')) {
      throw new AppError('promotion.not_in_predecessor', { details: { ...names, predecessor: name } });
    }
  }
  refuseDirection(input, way);
  if (runsWholeSinceMs(environment, release) !== null && !isBroken(input)) {
    throw new AppError('promotion.same_as_base', { details: names });
  }
  const hasNone = targetsOf({ definition }, release).length === 0;
  if (environment.concurrency === 'per_component' && !hasNone) return;
  for (const target of definition.targets) {
    const missing = componentsOf(target).find((name) => !release.components.some((one) => one.name === name));
    if (missing === undefined) continue;
    const message = `release ${release.name} has no component "${missing}", which target ${target.name} of ${definition.name} runs`;
    throw new AppError('input.invalid', { details: { message } });
  }
}

function isBroken({ release, environment: { components }, breaks = [] }: PromotionPlanInput): boolean {
  const names = release.components.map(({ name }) => name);
  return endsOfBreaks({ breaks, components }, names).some(({ untilMs }) => untilMs === null);
}

/** Forward over what is older; with a rollback back to what was there. A deploy goes both ways. */
function refuseDirection({ release, environment, base }: PromotionPlanInput, way: PromotionWay): void {
  const details = { release: release.name, environment: environment.name, base: base?.name ?? 'a newer release' };
  const isOlder = isOlderThanBase(environment, release);
  if (way.kind === 'promote' && isOlder) throw new AppError('promotion.older_than_base', { details });
  if (way.kind !== 'rollback') return;
  if (!way.hasCompletedHere && !isPlanted('rollback.to_what_never_ran'))
    throw new AppError('rollback.never_completed', { details });
  // The very release that was verified last is what brings a mixed environment back.
  const isBase = release.id === baseIdOf(environment, release);
  if (!isOlder && !isBase) throw new AppError('rollback.not_older', { details });
}

function notThereYet({ release, environment }: PromotionPlanInput, predecessor: string): AppError {
  const [component] = release.components;
  const { name, digest } = component ?? { name: '', digest: '' };
  const details = { release: release.name, environment: environment.name, predecessor, component: name, digest };
  return new AppError('deploy.not_in_predecessor', { details });
}
