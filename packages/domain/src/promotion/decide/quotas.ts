/**
 * Quotas at the moment in which locks are taken, under the environment's row: nobody else can take the last place
 * meanwhile (safety S18). Places are given in the order of the queue.
 */
import { describeQuota, type QuotaName, quotaStandings, type QuotaUse, quotaWindow } from '../../environment/quota.ts';
import { isPlanted } from '../../planted-bugs.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Json } from '../../values/canonical-json.ts';
import { type InstantMs, toRfc3339 } from '../../values/instant.ts';
import type { EnvironmentGuard, Waiter } from '../snapshot.ts';
import type { Draft } from './draft.ts';
import { allAhead } from './queue.ts';

export interface QuotaBlock {
  readonly name: QuotaName;
  /** `a start: 20 of 20 starts per day …`. */
  readonly message: string;
  /** Null: when somebody ends. */
  readonly resetsAtMs: InstantMs | null;
}

/** The quota that has no place left for it, the one that is counted anew last; null: it may start. */
export function exhaustedQuota(draft: Draft, guard: EnvironmentGuard): QuotaBlock | null {
  const { quota } = guard;
  if (!quota || isPlanted('quota.ignored')) return null;
  const ahead = allAhead(draft, guard.waiters);
  const hasStarted = (id: Waiter['promotionId']): boolean => quota.startedIds.includes(id);
  // Who comes before it and has not started yet needs a place of the same hour and day.
  const starting = ahead.filter(({ promotionId }) => !hasStarted(promotionId)).length;
  let block: QuotaBlock | null = null;
  for (const { name, limit, used, window } of quotaStandings(quota, draft.context.nowMs)) {
    if (window && hasStarted(draft.promotion.id)) continue;
    const reserved = window ? starting : ahead.filter((waiter) => isFree(waiter, quota)).length;
    const free = isPlanted('quota.one_too_many') ? limit + 1 : limit;
    if (countedOf(used, quota) + reserved < free) continue;
    const resetsAtMs = window?.untilMs ?? null;
    if (block && (resetsAtMs ?? 0) <= (block.resetsAtMs ?? 0)) continue;
    const before = reserved > 0 ? `, ${reserved} wait before it` : '';
    const until = resetsAtMs === null ? '; free when one ends' : `; counted anew ${toRfc3339(resetsAtMs)}`;
    const message = `a place in its quota: ${used} of ${describeQuota(name, limit)} are used${before}${until}`;
    block = { name, message, resetsAtMs };
  }
  return block;
}

function countedOf(used: number, { inProgress }: QuotaUse): number {
  return isPlanted('quota.ended_forgotten') ? Math.min(used, inProgress.length) : used;
}

/** Nobody in progress holds what it wants: it could take a place now. */
function isFree({ components }: Waiter, { inProgress }: QuotaUse): boolean {
  return !inProgress.some((one) => one.components.some((name) => components.includes(name)));
}

/**
 * When a wait for its turn is over for good. Where starts are counted, `queue.maxWait` runs from the first moment at which
 * they are counted anew: to wait for that is no failure.
 */
export function queueEndsAtMs(sinceMs: InstantMs, settings: Settings, quota: QuotaUse | null): InstantMs {
  const names = (['perHour', 'perDay'] as const).filter((name) => (quota?.limits[name] ?? null) !== null);
  const resets = names.map((name) => quotaWindow(name, quota?.timeZone ?? 'UTC', sinceMs).untilMs);
  return Math.max(sinceMs, ...resets) + settings['queue.maxWait'];
}

/** For the event of the start: what was allowed and how many are used with this one, as `S18.started` reads it. */
export function startedQuotas(draft: Draft, { quota }: EnvironmentGuard): { readonly quotas?: Json } {
  if (!quota) return {};
  const isCounted = !quota.startedIds.includes(draft.promotion.id);
  const quotas = quotaStandings(quota, draft.context.nowMs).flatMap(({ name, limit, used, window }) =>
    window && !isCounted ? [] : [{ name, limit, used: used + 1, sinceMs: window?.sinceMs ?? null }],
  );
  return quotas.length === 0 ? {} : { quotas };
}
