/** S18: whoever starts finds a place in each quota that is in force at that moment, counted again from the locks themselves. */
import { quotaKey, type QuotaName, quotaWindow, type PromotionId } from '@stella/domain';
import { insist, type MemoryState, type StoredLock, type WriteRecord } from '@stella/testkit';

export function checkStart(state: MemoryState, { kind, decision, context: { nowMs } }: WriteRecord): void {
  const { promotion, takenLocks } = decision;
  const place = state.environments.get(promotion.environment);
  if (kind !== 'ticked' || !place || !takenLocks.some((lock) => lock.mode === 'exclusive')) return;
  const limitOf = (name: QuotaName): number | null =>
    state.settingRows.get(quotaKey(place.name, name))?.value ?? place.quotas?.[name] ?? null;
  const own = [...state.locks.values()].filter((lock) => isPlaceOf(lock, place.name));
  const first = new Map<PromotionId, number>();
  for (const { promotionId, acquiredAtMs } of own) {
    first.set(promotionId, Math.min(acquiredAtMs, first.get(promotionId) ?? acquiredAtMs));
  }
  const check = (name: QuotaName, used: number): void => {
    const limit = limitOf(name);
    insist('S18', limit === null || used <= limit, () => `${promotion.id} is start ${used} of ${limit} ${name}`);
  };
  const startedAtMs = first.get(promotion.id) ?? nowMs;
  // Who has started before needs no place among the starts once more.
  for (const name of startedAtMs === nowMs ? (['perHour', 'perDay'] as const) : []) {
    const { sinceMs, untilMs } = quotaWindow(name, place.quotas?.timeZone ?? 'UTC', nowMs);
    check(name, [...first.values()].filter((atMs) => atMs >= sinceMs && atMs < untilMs).length);
  }
  const holding = new Set(own.filter((lock) => lock.releasedAtMs === null).map((lock) => lock.promotionId));
  if (place.concurrency === 'per_component') check('inProgress', holding.size);
}

function isPlaceOf({ mode, resource }: StoredLock, environment: string): boolean {
  return mode === 'exclusive' && resource.split('/')[0] === `environment:${environment}`;
}
