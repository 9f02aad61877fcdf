/** Reads over several tables, as the statements of the PostgreSQL store make them. */
import {
  emptyEnvironment,
  isPlanted,
  type DependencySnapshot,
  NO_DEPENDENCIES,
  requirementsOf,
  type Approval,
  type Attempt,
  type EnvironmentDefinition,
  type EnvironmentGuard,
  type EnvironmentStatus,
  type GateDebt,
  baseIdOf,
  composeBase,
  doesReplace,
  isTerminal,
  type Lock,
  type ObservedBreak,
  placesOf,
  type PredecessorStatus,
  type Promotion,
  type PromotionId,
  type PromotionKind,
  type PromotionSnapshot,
  type Release,
  type ReleaseComponent,
  type ReleaseId,
  releaseIdsOf,
  type Settings,
  type Skip,
  STEPS,
  type TargetObservation,
  type Waiter,
} from '@stella/domain';
import { SafetyViolation } from '../simulation/safety-violation.ts';
import type { MemoryState, StoredApproval, StoredPromotion, StoredSkip } from './memory-state.ts';
import { quotaUseIn } from './memory-quotas.ts';
import { committedView, type View } from './memory-transaction.ts';

/** A holder for which nobody worked for so long is stale: longer than a takeover may last (safety L2). */
const STALE_AFTER_MS = 20_000;

/** Everything that `decide` may look at, as it is committed. Throws when there is no such promotion. */
export function readSnapshot(state: MemoryState, id: PromotionId): PromotionSnapshot {
  const snapshot = readSnapshotIn(committedView(state, 0), state.settings, id);
  if (!snapshot) throw new SafetyViolation('store', `no promotion ${id}`);
  return snapshot;
}

/** The same, as one transaction sees it. Null: there is no such promotion. */
export function readSnapshotIn(view: View, started: Settings, id: PromotionId): PromotionSnapshot | null {
  const { state } = view;
  const row = view.get(state.promotions, id);
  if (!row) return null;
  const { promotion } = row;
  const environment = view.get(state.environments, promotion.environment) ?? emptyEnvironment(promotion.environment);
  return {
    promotion,
    release: releaseIn(view, promotion.releaseId),
    steps: [...row.steps.values()].sort((a, b) => byText(a.step, b.step)),
    gateRuns: [...row.gateRuns.values()].sort((a, b) => a.round - b.round || byText(a.id, b.id)),
    attempts: [...row.attempts.values()].sort(byStart),
    approvals: row.approvals.map((approval) => completeApproval(view, approval)),
    skips: [...row.skips.values()].map((skip) => completeSkip(view, skip)),
    debts: debtsIn(view, promotion),
    locks: liveLocksIn(view, id).sort((a, b) => byText(a.id, b.id)),
    environment,
    base: baseIn(view, environment, releaseIn(view, promotion.releaseId)),
    formerBase: formerBaseIn(
      view,
      promotion.baseReleaseId,
      baseIdOf(environment, releaseIn(view, promotion.releaseId)),
    ),
    predecessors: readPredecessors(view, promotion.definition, {
      release: releaseIn(view, promotion.releaseId),
      kind: promotion.kind,
    }),
    dependencies: promotion.endedAtMs === null ? dependenciesIn(view, promotion) : NO_DEPENDENCIES,
    settings: settingsIn(view, started),
    replacement: replacementIn(view, promotion),
  };
}

/** What gates of kind dependency ask about. */
function dependenciesIn(view: View, { definition }: Promotion): DependencySnapshot {
  const wanted = requirementsOf(definition);
  if (wanted.length === 0) return NO_DEPENDENCIES;
  const places = [...new Set(wanted.map((one) => one.environment))].sort(byText).flatMap((environment) => {
    const status = view.get(view.state.environments, environment);
    if (!status) return [];
    const release = status.releaseId === null ? null : releaseIn(view, status.releaseId);
    const busy = [...view.rows(view.state.promotions)].filter(
      ({ promotion: other }) =>
        other.environment === environment &&
        other.endedAtMs === null &&
        STEPS.indexOf(other.step) > STEPS.indexOf('evaluate_gates'),
    );
    const { releaseNumber, state } = status;
    const components = status.components.map((one) => ({
      name: one.component,
      releaseName: one.releaseId === null ? null : releaseIn(view, one.releaseId).name,
      releaseNumber: one.releaseNumber,
      state: one.state,
    }));
    return [
      { environment, releaseName: release?.name ?? null, releaseNumber, state, components, busyCount: busy.length },
    ];
  });
  const names = new Set(wanted.map((one) => one.release));
  const releases = [...view.rows(view.state.releases)].filter((one) => names.has(one.name));
  return {
    places,
    releases: releases
      .map(({ name, number, components }) => ({
        name,
        number,
        components: components.map((one) => ({ name: one.name })),
      }))
      .sort((a, b) => a.number - b.number),
  };
}

/** `queue: latest`: the live promotion of the newest release that takes its place. */
function replacementIn(view: View, promotion: Promotion): PromotionSnapshot['replacement'] {
  const isBeforeDeploy = STEPS.indexOf(promotion.step) < STEPS.indexOf('deploy');
  if (promotion.definition.queue !== 'latest' || promotion.endedAtMs !== null || !isBeforeDeploy) return null;
  const older = { promotion, release: releaseIn(view, promotion.releaseId) };
  let newest: Release | null = null;
  let found: PromotionSnapshot['replacement'] = null;
  for (const { promotion: other } of view.rows(view.state.promotions)) {
    if (other.endedAtMs !== null || other.environment !== promotion.environment) continue;
    const release = releaseIn(view, other.releaseId);
    if (!doesReplace({ promotion: other, release }, older) || (newest && newest.number > release.number)) continue;
    newest = release;
    found = { promotionId: other.id, releaseName: release.name };
  }
  return found;
}

function byStart(a: Attempt, b: Attempt): number {
  return a.startedAtMs - b.startedAtMs || a.number - b.number || byText(a.operationId, b.operationId);
}

/** As PostgreSQL compares by the collation "C". */
function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function formerBaseIn(view: View, boundId: ReleaseId | null, runsId: ReleaseId | null): Release | null {
  return boundId === runsId ? null : composedIn(view, boundId);
}

/** What was set, over what the server was started with. */
export function settingsIn(view: View, started: Settings): Settings {
  const set: [string, number][] = [];
  for (const { key, value } of view.rows(view.state.settingRows)) {
    if (value !== null) set.push([key, value]);
  }
  return set.length === 0 ? started : { ...started, ...Object.fromEntries(set) };
}

function completeApproval(view: View, approval: StoredApproval): Approval {
  const person = view.get(view.state.persons, approval.personId);
  return { ...approval, subject: person?.subject ?? '', bindingsNow: person?.bindings ?? [] };
}

function completeSkip(view: View, skip: StoredSkip): Skip {
  const { persons } = view.state;
  const decider = skip.decidedBy === null ? null : view.get(persons, skip.decidedBy);
  return {
    ...skip,
    requesterSubject: view.get(persons, skip.requestedBy)?.subject ?? '',
    deciderSubject: decider?.subject ?? null,
    deciderBindingsNow: decider?.bindings ?? [],
  };
}

/** Its own, and what others owe in its environment. */
function debtsIn(view: View, { id, environment }: Promotion): GateDebt[] {
  return [...view.rows(view.state.debts)]
    .filter((debt) => debt.promotionId === id || (debt.environment === environment && debt.state === 'open'))
    .sort((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1));
}

export function liveLocksOf(state: MemoryState, id: PromotionId): Lock[] {
  return liveLocksIn(committedView(state, 0), id);
}

export function liveLocksIn(view: View, id: PromotionId): Lock[] {
  const locks: Lock[] = [];
  for (const { releasedAtMs, ...lock } of view.rows(view.state.locks)) {
    if (releasedAtMs === null && lock.promotionId === id) locks.push(lock);
  }
  return locks;
}

/** One per environment of `promotesFrom` that is still there. */
export function readPredecessors(
  view: View,
  { promotesFrom }: EnvironmentDefinition,
  { release, kind }: { readonly release: Release; readonly kind: PromotionKind },
): PredecessorStatus[] {
  return promotesFrom.flatMap((name) => {
    const status = view.get(view.state.environments, name);
    if (!status) return [];
    const known = { ...status, breaks: breaksIn(view.rows(view.state.observations), name) };
    if (kind !== 'deploy')
      return [{ ...known, completedAtMs: completedAtMs(view, name, release.id), artifactsSinceMs: null }];
    return [
      {
        ...known,
        completedAtMs: latestOf(release, (one) => artifactCompletedAtMs(view, name, one)),
        artifactsSinceMs: latestOf(release, (one) => artifactSinceMs(view, status, one)),
      },
    ];
  });
}

/** Of one environment, or of all, in order of environment and target. */
export function breaksIn(rows: Iterable<TargetObservation>, environment: string | null): ObservedBreak[] {
  const found: ObservedBreak[] = [];
  for (const { lastBreak, ...row } of rows) {
    if (lastBreak === null || (environment !== null && row.environment !== environment)) continue;
    const { target, seenAtMs, digest, promised } = row;
    found.push({ environment: row.environment, target, seenAtMs, digest, promised, ...lastBreak });
  }
  return found.sort((a, b) => byText(a.environment, b.environment) || byText(a.target, b.target));
}

/** Of all components; null when it is null of one. */
function latestOf(release: Release, ofComponent: (component: ReleaseComponent) => number | null): number | null {
  let latestMs: number | null = null;
  for (const component of release.components) {
    const atMs = ofComponent(component);
    if (atMs === null) return null;
    latestMs = Math.max(latestMs ?? 0, atMs);
  }
  return latestMs;
}

function isIn(view: View, releaseId: ReleaseId, { name, digest }: ReleaseComponent): boolean {
  return releaseIn(view, releaseId).components.some((one) => one.name === name && one.digest === digest);
}

/** In whatever release it came there. */
function artifactCompletedAtMs(view: View, environment: string, component: ReleaseComponent): number | null {
  let latestMs: number | null = null;
  for (const { id } of view.rows(view.state.releases)) {
    const atMs = isIn(view, id, component) ? completedAtMs(view, environment, id) : null;
    if (atMs !== null) latestMs = Math.max(latestMs ?? 0, atMs);
  }
  return latestMs;
}

function artifactSinceMs(view: View, status: EnvironmentStatus, component: ReleaseComponent): number | null {
  const run = status.components.find((one) => one.component === component.name);
  const runs = run && run.state === 'whole' && run.releaseId !== null && isIn(view, run.releaseId, component);
  return runs ? run.releasedAtMs : null;
}

export function completedAtMs(view: View, environment: string, releaseId: ReleaseId): number | null {
  let latestMs = view.state.earlierCompletions.get(`${environment}/${releaseId}`) ?? null;
  for (const { promotion: one } of view.rows(view.state.promotions)) {
    const isCompletion = one.releaseId === releaseId && one.environment === environment && one.status === 'completed';
    if (isCompletion) latestMs = Math.max(latestMs ?? 0, one.endedAtMs ?? 0);
  }
  return latestMs;
}

function composedIn(view: View, baseId: ReleaseId | null): Release | null {
  if (baseId === null) return null;
  return composeBase(
    baseId,
    releaseIdsOf(baseId).map((id) => releaseIn(view, id)),
  );
}

export function baseIn(view: View, environment: EnvironmentStatus, release: Release): Release | null {
  return composedIn(view, baseIdOf(environment, release));
}

export function releaseIn(view: View, id: ReleaseId): Release {
  const release = view.get(view.state.releases, id);
  if (!release) throw new SafetyViolation('store', `no release ${id}`);
  return release;
}

/** Draws a ticket and a fence and says who holds and who waits. Whoever asks holds the environment's row. */
export function readGuard(
  view: View,
  { id, environment, releaseId }: Pick<Promotion, 'id' | 'environment' | 'releaseId'>,
): EnvironmentGuard {
  const { state } = view;
  state.lastTicket += 1;
  state.lastFence += isPlanted('fence.not_drawn') ? 0 : 1;
  const status = view.get(state.environments, environment) ?? emptyEnvironment(environment);
  const place = `environment:${environment}`;
  const own = new Set([place, ...placesOf(status, releaseIn(view, releaseId))]);
  const isInTheWay = (resource: string): boolean =>
    own.has(resource) || (status.concurrency === 'exclusive' && resource.startsWith(`${place}/`));
  let holder: EnvironmentGuard['holder'] = null;
  for (const lock of view.rows(state.locks)) {
    const isOther = lock.releasedAtMs === null && lock.mode === 'exclusive' && lock.promotionId !== id;
    if (isOther && isInTheWay(lock.resource) && (holder === null || lock.id < holder.lockId)) {
      holder = { lockId: lock.id, promotionId: lock.promotionId, isStale: isStale(view, lock.promotionId) };
    }
  }
  const waiters: Waiter[] = [];
  for (const { promotion: other } of view.rows(state.promotions)) {
    const { ticket, priority, step, status: word } = other;
    const isWaiter = other.environment === environment && step === 'acquire_locks' && other.id !== id;
    if (!isWaiter || ticket === null || isTerminal(word)) continue;
    const components = releaseIn(view, other.releaseId).components.map((component) => component.name);
    waiters.push({ promotionId: other.id, ticket, priority, components });
  }
  waiters.sort((a, b) => a.ticket - b.ticket);
  const quota = quotaUseIn(view, status, settingsIn(view, state.settings));
  return { holder, waiters, quota, ticket: state.lastTicket, fence: { epoch: state.fenceEpoch, n: state.lastFence } };
}

/** Nobody works for the promotion (domain, "stale"), by the clock of the transaction's beginning. */
export function isStale(view: View, id: PromotionId): boolean {
  const row = view.get(view.state.promotions, id);
  return row === undefined || isRowStale(view, row);
}

function isRowStale(view: View, { promotion }: StoredPromotion): boolean {
  if (isTerminal(promotion.status)) return true;
  const lateMs = view.beganMs - (promotion.nextActionAtMs ?? view.beganMs);
  if (promotion.workerId === null) return lateMs > STALE_AFTER_MS;
  const worker = view.get(view.state.workers, promotion.workerId);
  if (!worker) return true;
  return view.beganMs - worker.leaseUntilMs > STALE_AFTER_MS || (worker.state !== 'live' && lateMs > STALE_AFTER_MS);
}
