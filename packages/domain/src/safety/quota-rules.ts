/** S18: whoever started found a place in each quota that was in force, as the event of its start tells it. */
import type { Json } from '../values/canonical-json.ts';
import { numberField, objectsIn } from './event-fields.ts';
import type { StoredEvent } from './store-state.ts';
import { type PromotionRule, type StoreView, unless } from './store-view.ts';

const started: PromotionRule = {
  name: 'S18.started',
  find: (record, view) => {
    const isOver = record.events
      .filter((event) => event.type === 'lock.acquired')
      .some((event) => objectsIn(event.data, 'quotas').some((quota) => isUsedUp(record.promotion, event, quota, view)));
    return unless(!isOver, record, 'started although a quota was used up');
  },
};

/** Those that came at the same millisecond are not counted: rows do not tell which was first. */
function isUsedUp(
  { id, environment }: { readonly id: string; readonly environment: string },
  { atMs }: StoredEvent,
  quota: Json,
  { state }: StoreView,
): boolean {
  const limit = numberField(quota, 'limit');
  if (limit === null) return false;
  const sinceMs = numberField(quota, 'sinceMs');
  const others = state.locks.filter(
    (lock) =>
      lock.mode === 'exclusive' &&
      lock.promotionId !== id &&
      lock.resource.split('/')[0] === `environment:${environment}`,
  );
  const counted = new Set<string>();
  for (const lock of others) {
    const wasHeld = lock.releasedAtMs === null || lock.releasedAtMs > atMs;
    const isCounted = sinceMs === null ? wasHeld : lock.acquiredAtMs >= sinceMs;
    if (isCounted && lock.acquiredAtMs < atMs) counted.add(lock.promotionId);
  }
  // Who had started before counts there, and not once more.
  for (const lock of others) if (sinceMs !== null && lock.acquiredAtMs < sinceMs) counted.delete(lock.promotionId);
  return counted.size + 1 > limit;
}

export const QUOTA_RULES: readonly PromotionRule[] = [started];
