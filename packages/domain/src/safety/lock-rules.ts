/**
 * Who holds what: an exclusive lock alone (S1), from the deploy on and under one fence; and no longer than it is needed (L4).
 */
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import { placesOf } from '../promotion/scope.ts';
import { isTerminal, priorityRank, type Step } from '../promotion/status.ts';
import type { PromotionRecord } from './store-state.ts';
import { type Found, liveLocksOf, type PromotionRule, type StoreRule, type StoreView, unless } from './store-view.ts';

/** A waiter whose turn it is looks again within this (safety L4). */
export const WAKE_MS_MAX = 2_000;

const STEPS_THAT_CHANGE: ReadonlySet<Step> = new Set(['deploy', 'verify', 'rollback']);
const STEPS_WITH_LOCK: ReadonlySet<Step> = new Set(['preflight', 'deploy', 'verify', 'rollback']);
const STEPS_WITHOUT_TICKET: ReadonlySet<Step> = new Set(['precheck', 'evaluate_gates']);

/** Whole environments lie above their components: `environment:prod` excludes `environment:prod/web`. */
const exclusive: StoreRule = {
  name: 'S1.exclusive',
  find: (view) =>
    [...view.locksByResource].flatMap(([resource, locks]) => {
      const live = locks.filter((lock) => lock.releasedAtMs === null);
      const above = resource.startsWith('environment:') ? resource.split('/')[0] : undefined;
      const isAboveHeld =
        above !== undefined &&
        above !== resource &&
        live.length > 0 &&
        view.locksByResource.get(above)?.some((lock) => lock.releasedAtMs === null) === true;
      const isShared = live.every((lock) => lock.mode === 'shared');
      if ((live.length <= 1 || isShared) && !isAboveHeld) return [];
      return [{ subject: resource, message: `held by ${live.length} live locks although it is exclusive` }];
    }),
};

/** Nothing is changed without the lock of the environment, or of each component, and the artifacts' locks. */
const held: PromotionRule = {
  name: 'S1.held',
  find: (record, view) => {
    const { id, environment, status, step, releaseId } = record.promotion;
    if (isTerminal(status) || !STEPS_THAT_CHANGE.has(step)) return [];
    const live = liveLocksOf(view, id);
    const place = `environment:${environment}`;
    const excludes = (resource: string): boolean =>
      live.some((lock) => lock.mode === 'exclusive' && lock.resource === resource);
    const has = (digest: string): boolean => live.some((lock) => lock.resource === `artifact:${digest}`);
    const isWhole = excludes(place);
    const holds = view.releases
      .get(releaseId)
      ?.components.every(({ name, digest }) => has(digest) && (isWhole || excludes(`${place}/${name}`)));
    return unless(holds ?? false, record, `is in ${step} without all of its locks`);
  },
};

const oneFence: PromotionRule = {
  name: 'S2.one_fence',
  find: (record, view) => {
    const fences = new Set(liveLocksOf(view, record.promotion.id).map(({ fence }) => `${fence.epoch}.${fence.n}`));
    return unless(fences.size <= 1, record, 'its live locks have different fences');
  },
};

const letGo: PromotionRule = {
  name: 'L4.let_go',
  find: (record, view) => {
    const { id, status, step } = record.promotion;
    const mayHold = !isTerminal(status) && STEPS_WITH_LOCK.has(step);
    return unless(mayHold || liveLocksOf(view, id).length === 0, record, `is ${status} in ${step} and holds locks`);
  },
};

const ticket: PromotionRule = {
  name: 'L4.ticket',
  find: (record) => {
    const { status, step, ticket: number } = record.promotion;
    const mayWait = !isTerminal(status) && !STEPS_WITHOUT_TICKET.has(step);
    return unless(number === null || mayWait, record, `is ${status} in ${step} and keeps its place in the queue`);
  },
};

/**
 * Whoever has nobody in its way, neither a holder nor one before it in the queue that wants the same, is due, or is being
 * looked at. With `concurrency: exclusive` that is the first in the queue of a free environment.
 */
const turn: StoreRule = {
  name: 'L4.turn',
  find: (view) =>
    [...view.environments.values()].flatMap((environment): Found[] => {
      if (environment.stop !== null) return [];
      return waitersInTurn(view, environment).flatMap(({ promotion }) => {
        const { workerId, nextActionAtMs, setAside, quotaWait, id } = promotion;
        // A quota that is used up is what it waits for; L1.soon says that it looks again.
        if (quotaWait !== null || workerId !== null || setAside !== null || nextActionAtMs === null) return [];
        if (nextActionAtMs <= view.nowMs + WAKE_MS_MAX) return [];
        return [{ subject: id, message: `sleeps although its place in ${environment.name} is free and it is first` }];
      });
    }),
};

function waitersInTurn(view: StoreView, environment: EnvironmentStatus): PromotionRecord[] {
  const whole = `environment:${environment.name}`;
  const taken = new Set(
    view.state.locks
      .filter(({ releasedAtMs, resource: one }) => releasedAtMs === null && isSameOrBelow(one, whole))
      .map(({ resource }) => resource),
  );
  return queueOf(view, environment.name).filter(({ promotion }) => {
    const release = view.releases.get(promotion.releaseId);
    const places = placesOf(environment, release ?? { components: [] });
    const isFree = places.every((place) => !taken.has(place) && !taken.has(whole) && (place !== whole || !taken.size));
    for (const place of places) taken.add(place);
    return isFree;
  });
}

function isSameOrBelow(resource: string, place: string): boolean {
  return resource === place || resource.startsWith(`${place}/`);
}

function queueOf(view: StoreView, environment: string): PromotionRecord[] {
  const waiters = (view.byEnvironment.get(environment) ?? []).filter(
    ({ promotion }) => promotion.endedAtMs === null && promotion.step === 'acquire_locks' && promotion.ticket !== null,
  );
  return waiters.sort(
    ({ promotion: a }, { promotion: b }) =>
      priorityRank(a.priority) - priorityRank(b.priority) ||
      (a.ticket ?? 0) - (b.ticket ?? 0) ||
      (a.id < b.id ? -1 : 1),
  );
}

export const LOCK_PROMOTION_RULES: readonly PromotionRule[] = [held, oneFence, letGo, ticket];
export const LOCK_STORE_RULES: readonly StoreRule[] = [exclusive, turn];
