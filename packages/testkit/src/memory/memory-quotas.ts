/** What counts against the quotas of an environment, as the statement of the PostgreSQL store reads it. */
import {
  type EnvironmentStatus,
  hasQuota,
  type Lock,
  type PromotionId,
  QUOTA_LOOK_BACK_MS,
  QUOTA_MAX,
  quotaLimitsOf,
  type QuotaUse,
  type Settings,
} from '@stella/domain';
import type { View } from './memory-transaction.ts';

/** Null: nothing is limited there. */
export function quotaUseIn(view: View, environment: EnvironmentStatus, settings: Settings): QuotaUse | null {
  const limits = quotaLimitsOf(environment, settings);
  if (!hasQuota(limits)) return null;
  const { state, beganMs } = view;
  const first = new Map<PromotionId, number>();
  const holding = new Set<PromotionId>();
  for (const lock of view.rows(state.locks)) {
    if (!isPlaceOf(lock, environment.name)) continue;
    first.set(lock.promotionId, Math.min(lock.acquiredAtMs, first.get(lock.promotionId) ?? lock.acquiredAtMs));
    if (lock.releasedAtMs === null) holding.add(lock.promotionId);
  }
  const live = [...first.keys()].filter((id) => view.get(state.promotions, id)?.promotion.endedAtMs === null);
  return {
    limits,
    timeZone: environment.quotas?.timeZone ?? 'UTC',
    startsAtMs: [...first.values()]
      .filter((atMs) => atMs > beganMs - QUOTA_LOOK_BACK_MS)
      .sort((a, b) => b - a)
      .slice(0, QUOTA_MAX),
    inProgress: [...holding]
      .sort()
      .map((promotionId) => ({ promotionId, components: componentsOf(view, promotionId) })),
    startedIds: live.sort(),
  };
}

function isPlaceOf({ mode, resource }: Pick<Lock, 'mode' | 'resource'>, environment: string): boolean {
  return mode === 'exclusive' && resource.split('/')[0] === `environment:${environment}`;
}

function componentsOf(view: View, id: PromotionId): string[] {
  const releaseId = view.get(view.state.promotions, id)?.promotion.releaseId;
  const release = releaseId === undefined ? undefined : view.get(view.state.releases, releaseId);
  return (release?.components ?? []).map((component) => component.name);
}
