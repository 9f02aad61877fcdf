/**
 * Quotas of an environment: how many promotions may start there per hour and per day, and how many may be in progress at
 * once. A promotion starts when it first takes its locks, and counts from then on in the hour and the day of that moment,
 * whatever becomes of it; who ends before counts nowhere. In progress is who holds locks. The limits are those of the
 * environment's newest definition and, over them, settings: both count live, for everybody who has not started.
 */
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import type { QuotaSettingKey } from '../settings/quota-settings.ts';
import type { Settings } from '../settings/settings.ts';
import type { PromotionId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import { instantOfDay, isKnownZone, localDateOf } from './zoned-time.ts';

export const QUOTA_NAMES = ['perHour', 'perDay', 'inProgress'] as const;
export type QuotaName = (typeof QUOTA_NAMES)[number];

/** More starts than that of one environment are never looked at, so that a limit may not be above it. */
export const QUOTA_MAX = 10_000;

const HOUR_MS = 60 * 60_000;
/** No day of any zone is longer, not even one in which a country changes its offset; starts are looked for so far back. */
export const QUOTA_LOOK_BACK_MS = 49 * HOUR_MS;

/** As a definition says it; a name that is absent is without limit. */
export type QuotaDefinition = { readonly [Name in QuotaName]?: number } & {
  /** In whose days and hours it is counted: an IANA name. */
  readonly timeZone: string;
};

/** Null: without limit. */
export type QuotaLimits = Readonly<Record<QuotaName, number | null>>;

/** What is counted against the limits of one environment. */
export interface QuotaUse {
  readonly limits: QuotaLimits;
  readonly timeZone: string;
  /** When promotions of the last `QUOTA_LOOK_BACK_MS` started, the newest `QUOTA_MAX` of them. */
  readonly startsAtMs: readonly InstantMs[];
  /** Who holds locks there, with the components of its release. */
  readonly inProgress: readonly { readonly promotionId: PromotionId; readonly components: readonly string[] }[];
  /** Of those who have not ended, who has started. */
  readonly startedIds: readonly PromotionId[];
}

type Place = Pick<EnvironmentStatus, 'name' | 'quotas' | 'concurrency'>;

export function quotaKey(environment: string, name: QuotaName): QuotaSettingKey {
  return `environments.${environment}.quotas.${name}`;
}

/**
 * The limits as they are now: a setting beats the definition. Where one promotion at a time changes the environment
 * anyhow, `inProgress` limits nothing, and nobody is told that he waits for it.
 */
export function quotaLimitsOf({ name, quotas, concurrency }: Place, settings: Partial<Settings>): QuotaLimits {
  const limit = (quota: QuotaName): number | null => settings[quotaKey(name, quota)] ?? quotas?.[quota] ?? null;
  return {
    perHour: limit('perHour'),
    perDay: limit('perDay'),
    inProgress: concurrency === 'per_component' ? limit('inProgress') : null,
  };
}

export function hasQuota(limits: QuotaLimits): boolean {
  return QUOTA_NAMES.some((name) => limits[name] !== null);
}

export interface QuotaWindow {
  readonly sinceMs: InstantMs;
  /** Not part of it: then it is counted anew. */
  readonly untilMs: InstantMs;
}

/**
 * The day of the zone that a moment is in, or the hour of that day, counted from its beginning; one ends where the next
 * begins, also when the clock is put forward or back. A zone that this platform does not know counts as UTC.
 */
export function quotaWindow(name: 'perHour' | 'perDay', timeZone: string, atMs: InstantMs): QuotaWindow {
  const zone = isKnownZone(timeZone) ? timeZone : 'UTC';
  const date = localDateOf(atMs, zone);
  const dayMs = instantOfDay(date, '00:00', zone);
  const nextDayMs = instantOfDay(date, '24:00', zone);
  if (name === 'perDay') return { sinceMs: dayMs, untilMs: nextDayMs };
  const sinceMs = dayMs + Math.floor((atMs - dayMs) / HOUR_MS) * HOUR_MS;
  return { sinceMs, untilMs: Math.min(sinceMs + HOUR_MS, nextDayMs) };
}

/** One quota as it stands at a moment. */
export interface QuotaStanding {
  readonly name: QuotaName;
  readonly limit: number;
  readonly used: number;
  /** Null for `inProgress`, which is free again when somebody ends. */
  readonly window: QuotaWindow | null;
}

/** Of the quotas that have a limit, in the order of `QUOTA_NAMES`. */
export function quotaStandings(use: Omit<QuotaUse, 'startedIds'>, nowMs: InstantMs): readonly QuotaStanding[] {
  return QUOTA_NAMES.flatMap((name): QuotaStanding[] => {
    const limit = use.limits[name];
    if (limit === null) return [];
    if (name === 'inProgress') return [{ name, limit, used: use.inProgress.length, window: null }];
    const window = quotaWindow(name, use.timeZone, nowMs);
    const used = use.startsAtMs.filter((atMs) => atMs >= window.sinceMs && atMs < window.untilMs).length;
    return [{ name, limit, used, window }];
  });
}

const WORDS: Readonly<Record<QuotaName, string>> = {
  perHour: 'starts per hour',
  perDay: 'starts per day',
  inProgress: 'promotions in progress at once',
};

/** `20 starts per day`. */
export function describeQuota(name: QuotaName, limit: number): string {
  return `${limit} ${WORDS[name]}`;
}
