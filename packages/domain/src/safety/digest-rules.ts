/** S10: what was resolved is what was locked, sent and observed, and what the environment is said to run. */
import { combinedDigest, componentsOf } from '../environment/target-components.ts';
import type { AttemptPurpose, EnvironmentStatus } from '../promotion/promotion.ts';
import { worstOf } from '../promotion/scope.ts';
import type { Release } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import type { PromotionRecord, StoredAttempt, StoredOutcome } from './store-state.ts';
import {
  COMPLETIONS_COMPARED_MAX,
  baseOf,
  carries,
  countedOutcome,
  type Found,
  isByComponent,
  type PromotionRule,
  type StoreRule,
  type StoreView,
  unless,
} from './store-view.ts';

const GIVES_BASE: ReadonlySet<AttemptPurpose> = new Set(['rollback', 'rollback_verify']);

/** What a target is to run by an attempt of that purpose; null when the release has nothing for it. */
function promised(record: PromotionRecord, view: StoreView, purpose: AttemptPurpose, target: string): Digest | null {
  const { definition, releaseId, baseReleaseId } = record.promotion;
  const own = definition.targets.find((one) => one.name === target);
  if (own === undefined) return null;
  const names = componentsOf(own);
  const parts = names.flatMap((name) => {
    const wanted = GIVES_BASE.has(purpose) ? baseOf(view, baseReleaseId, name) : releaseId;
    const digest = wanted === null ? null : digestIn(view.releases.get(wanted), name);
    return digest === null ? [] : [{ name, digest }];
  });
  return parts.length === names.length ? combinedDigest(parts) : null;
}

function digestIn(release: Release | undefined, component: string | undefined): Digest | null {
  return release?.components.find((one) => one.name === component)?.digest ?? null;
}

/** The last outcome of that purpose at that target. */
function lastOutcome({ attempts }: PromotionRecord, purpose: AttemptPurpose, target: string): StoredOutcome | null {
  const own = attempts.filter((one) => one.purpose === purpose && one.subject === target);
  const last = own.sort((a, b) => b.number - a.number || (a.operationId < b.operationId ? 1 : -1))[0];
  return last ? countedOutcome(last) : null;
}

function isAsPromised(record: PromotionRecord, view: StoreView, purpose: AttemptPurpose, target: string): boolean {
  const outcome = lastOutcome(record, purpose, target);
  return outcome?.outcome === 'succeeded' && outcome.digest === promised(record, view, purpose, target);
}

const verified: PromotionRule = {
  name: 'S10.verified',
  find: (record, view) => {
    const { status, definition } = record.promotion;
    if (status !== 'completed') return [];
    const own = isByComponent(view, record)
      ? definition.targets.filter(({ name }) => promised(record, view, 'verify', name) !== null)
      : definition.targets;
    const isRight = own.every(({ name }) => isAsPromised(record, view, 'verify', name));
    return unless(isRight, record, 'is completed though not every target reported its digest');
  },
};

const rolledBack: PromotionRule = {
  name: 'S10.rolled_back',
  find: (record, view) => {
    if (record.promotion.status !== 'rolled_back') return [];
    const touched = record.promotion.definition.targets.filter(({ name }) =>
      record.attempts.some((one) => one.purpose === 'deploy' && one.subject === name),
    );
    const isRight = touched.every(({ name }) => isAsPromised(record, view, 'rollback_verify', name));
    return unless(isRight, record, 'is rolled back though not every target reported the digest of before');
  },
};

const sent: PromotionRule = {
  name: 'S10.sent',
  find: (record, view) =>
    record.attempts.flatMap((attempt): Found[] => {
      const outcome = countedOutcome(attempt);
      if (outcome?.outcome !== 'succeeded' || outcome.digest === null) return [];
      const wanted = wantedDigest(record, view, attempt);
      if (wanted === undefined || wanted === outcome.digest) return [];
      return [
        { subject: attempt.operationId, message: `answered ${outcome.digest} instead of ${wanted ?? 'nothing'}` },
      ];
    }),
};

/** Undefined: an attempt of that purpose promises no digest. */
function wantedDigest(
  record: PromotionRecord,
  view: StoreView,
  { purpose, subject }: StoredAttempt,
): Digest | null | undefined {
  if (purpose === 'deploy' || purpose === 'rollback') return promised(record, view, purpose, subject);
  if (purpose === 'precheck_artifact' || purpose === 'preflight_artifact')
    return digestIn(view.releases.get(record.promotion.releaseId), subject);
  return undefined;
}

const locked: PromotionRule = {
  name: 'S10.locked',
  find: ({ promotion }, view) => {
    const own = new Set(view.releases.get(promotion.releaseId)?.components.map((one) => `artifact:${one.digest}`));
    return (view.locks.get(promotion.id) ?? [])
      .filter(({ resource }) => resource.startsWith('artifact:') && !own.has(resource))
      .map(({ id, resource }) => ({ subject: id, message: `keeps ${resource}, which its release does not hold` }));
  },
};

/** The environment runs what completed there last, each component what completed last with it. */
const environment: StoreRule = {
  name: 'S10.environment',
  find: (view) =>
    view.state.environments.flatMap((status): Found[] => {
      const isRight =
        runsLatest(view, status) && componentsAreLatest(view, status) && hasAllRows(view, status) && isSummary(status);
      return isRight ? [] : [{ subject: status.name, message: 'does not run what completed there last' }];
    }),
};

/** As a whole; with components of several releases only each of them tells. */
function runsLatest(view: StoreView, status: EnvironmentStatus): boolean {
  const { name, releaseId, releaseNumber, releasedAtMs, components } = status;
  if (releaseId === null && components.some((one) => one.releaseId !== null)) return true;
  const number = releaseId === null ? 0 : (view.releases.get(releaseId)?.number ?? 0);
  const [latest] = view.completionsIn(name);
  const endedAtMs = latest?.promotion.endedAtMs ?? null;
  const isOlder = endedAtMs === null || releasedAtMs === null || endedAtMs < releasedAtMs;
  const isLatest = latest?.promotion.releaseId === releaseId && endedAtMs === releasedAtMs;
  return number === releaseNumber && (isOlder || isLatest);
}

function componentsAreLatest(view: StoreView, { name, components }: EnvironmentStatus): boolean {
  return components.every((one) => {
    if (one.releaseId === null) return true;
    const latest = view
      .completionsIn(name)
      .find(({ promotion }) => carries(view, promotion.releaseId, one.component))?.promotion;
    const endedAtMs = latest?.endedAtMs ?? null;
    const isOlder = endedAtMs === null || one.releasedAtMs === null || endedAtMs < one.releasedAtMs;
    const isLatest = latest?.releaseId === one.releaseId && endedAtMs === one.releasedAtMs;
    return view.releases.get(one.releaseId)?.number === one.releaseNumber && (isOlder || isLatest);
  });
}

/**
 * No row of a component has vanished: each completion has left one for every component that it carries, back to the last one
 * that held the whole environment, which forgets the others. What was there before the environment was removed does not
 * count.
 */
function hasAllRows(view: StoreView, { name, releasedAtMs, components }: EnvironmentStatus): boolean {
  const removals = view.state.events.filter(({ type, subject }) => type === 'environment.removed' && subject === name);
  const sinceMs = Math.max(Number.NEGATIVE_INFINITY, ...removals.map(({ atMs }) => atMs));
  const known = new Set(components.map(({ component }) => component));
  const ofNow = view
    .completionsIn(name)
    .filter(({ promotion: { endedAtMs } }) => (endedAtMs ?? 0) > sinceMs && (endedAtMs ?? 0) <= (releasedAtMs ?? 0));
  for (const { promotion } of ofNow.slice(0, COMPLETIONS_COMPARED_MAX)) {
    const carried = view.releases.get(promotion.releaseId)?.components ?? [];
    if (carried.some((one) => !known.has(one.name))) return false;
    const parts = `environment:${name}/`;
    if (!(view.locks.get(promotion.id) ?? []).some(({ resource }) => resource.startsWith(parts))) return true;
  }
  return true;
}

/** What is said of the whole follows from its components, as soon as one of them was touched. */
function isSummary({ releaseId, releaseNumber, state, components }: EnvironmentStatus): boolean {
  const [first] = components;
  if (!first) return true;
  const isOne = components.every((one) => one.releaseId === first.releaseId);
  const highest = Math.max(...components.map((one) => one.releaseNumber));
  return releaseId === (isOne ? first.releaseId : null) && releaseNumber === highest && state === worstOf(components);
}

export const DIGEST_PROMOTION_RULES: readonly PromotionRule[] = [verified, rolledBack, sent, locked];
export const DIGEST_STORE_RULES: readonly StoreRule[] = [environment];
