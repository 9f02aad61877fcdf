/** S10: what was resolved is what was locked, sent and observed, and what the environment is said to run. */
import type { AttemptPurpose } from '../promotion/promotion.ts';
import type { Release } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import type { PromotionRecord, StoredAttempt, StoredOutcome } from './store-state.ts';
import {
  countedOutcome,
  type Found,
  type PromotionRule,
  type StoreRule,
  type StoreView,
  unless,
} from './store-view.ts';

const GIVES_BASE: ReadonlySet<AttemptPurpose> = new Set(['rollback', 'rollback_verify']);

/** What a target is to run by an attempt of that purpose; null when the release has nothing for it. */
function promised(record: PromotionRecord, view: StoreView, purpose: AttemptPurpose, target: string): Digest | null {
  const { definition, releaseId, baseReleaseId } = record.promotion;
  const wanted = GIVES_BASE.has(purpose) ? baseReleaseId : releaseId;
  const release = wanted === null ? undefined : view.releases.get(wanted);
  const component = definition.targets.find((one) => one.name === target)?.component;
  return digestIn(release, component);
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
    const isRight = definition.targets.every(({ name }) => isAsPromised(record, view, 'verify', name));
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
  if (purpose === 'precheck_artifact') return digestIn(view.releases.get(record.promotion.releaseId), subject);
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

/** The environment runs what completed there last. */
const environment: StoreRule = {
  name: 'S10.environment',
  find: (view) =>
    view.state.environments.flatMap(({ name, releaseId, releaseNumber, releasedAtMs }): Found[] => {
      const number = releaseId === null ? 0 : (view.releases.get(releaseId)?.number ?? 0);
      const [latest] = view.completionsIn(name);
      const endedAtMs = latest?.promotion.endedAtMs ?? null;
      const isOlder = endedAtMs === null || releasedAtMs === null || endedAtMs < releasedAtMs;
      const isLatest = latest?.promotion.releaseId === releaseId && endedAtMs === releasedAtMs;
      if (number === releaseNumber && (isOlder || isLatest)) return [];
      return [{ subject: name, message: 'does not run what completed there last' }];
    }),
};

export const DIGEST_PROMOTION_RULES: readonly PromotionRule[] = [verified, rolledBack, sent, locked];
export const DIGEST_STORE_RULES: readonly StoreRule[] = [environment];
