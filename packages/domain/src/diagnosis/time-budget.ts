/** The stall clock, and the arithmetic of declared attempts against it. */
import { isTerminal } from '../promotion/status.ts';
import type { PromotionSnapshot } from '../promotion/snapshot.ts';
import type { InstantMs } from '../values/instant.ts';
import { formatDuration } from '../values/duration.ts';
import type { TimeBudget } from './diagnosis.ts';

/** The objective: a promotion that does not progress is cured within so long. */
export const PROMOTION_SLO_MS = 30 * 60_000;

type Clocked = Pick<PromotionSnapshot, 'promotion' | 'settings'>;

/** The later of the last progress and the last entry into `in_progress`. */
export function stallClockStartMs({ promotion }: Pick<Clocked, 'promotion'>): InstantMs {
  return Math.max(promotion.lastProgressAtMs, promotion.inProgressSinceMs);
}

/** When it counts as stalled; null unless it is `in_progress`. */
export function stallsAtMs(snapshot: Clocked): InstantMs | null {
  const { status } = snapshot.promotion;
  if (isTerminal(status) || status !== 'in_progress') return null;
  return stallClockStartMs(snapshot) + snapshot.settings['stuck.after'];
}

export function isStalledAt(snapshot: Clocked, nowMs: InstantMs): boolean {
  const atMs = stallsAtMs(snapshot);
  return atMs !== null && atMs <= nowMs;
}

export function timeBudgetOf(snapshot: Clocked, nowMs: InstantMs): TimeBudget {
  const startMs = stallClockStartMs(snapshot);
  const stalls = stallsAtMs(snapshot);
  return {
    lastProgressAtMs: snapshot.promotion.lastProgressAtMs,
    sinceProgressMs: Math.max(0, nowMs - startMs),
    stuckAfterMs: snapshot.settings['stuck.after'],
    stallsAtMs: stalls,
    sloAtMs: stalls === null ? null : startMs + PROMOTION_SLO_MS,
  };
}

/** Time-outs and retries of a gate with attempts. */
export interface AttemptTiming {
  readonly timeoutMs: number;
  readonly retryCount: number;
  readonly backoffMs: number;
}

/** All attempts running out, with the doubling pauses between them. */
export function worstCaseMs({ timeoutMs, retryCount, backoffMs }: AttemptTiming): number {
  return (1 + retryCount) * timeoutMs + backoffMs * (2 ** retryCount - 1);
}

/** `3 × 5m + 30s of pauses = 15m30s` */
export function describeWorstCase(timing: AttemptTiming): string {
  const { timeoutMs, retryCount, backoffMs } = timing;
  const pausesMs = backoffMs * (2 ** retryCount - 1);
  const pauses = pausesMs === 0 ? '' : ` + ${formatDuration(pausesMs)} of pauses`;
  return `${1 + retryCount} × ${formatDuration(timeoutMs)}${pauses} = ${formatDuration(worstCaseMs(timing))}`;
}

/** The most retries with which all attempts fit into `limitMs`; null when not even one attempt does. */
export function retriesThatFit(timing: AttemptTiming, limitMs: number): number | null {
  for (let retryCount = timing.retryCount; retryCount >= 0; retryCount -= 1) {
    if (worstCaseMs({ ...timing, retryCount }) <= limitMs) return retryCount;
  }
  return null;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Values that a person would choose. */
const TIMEOUT_LADDER_MS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 3, 5, 10, 15, 20, 30, 45, 60].map((count) => count * MINUTE),
];
/** An answer that took so long today may take twice as long tomorrow. */
const HEADROOM = 2;

/** A time-out with headroom over what was measured; null when the longest that may be set does not suffice. */
export function timeoutFor(measuredMs: number): number | null {
  return TIMEOUT_LADDER_MS.find((rung) => rung >= measuredMs * HEADROOM) ?? null;
}

/** The longest time-out whose one attempt fits; the shortest of all when none does. */
export function timeoutWithin(limitMs: number): number {
  return TIMEOUT_LADDER_MS.findLast((rung) => rung <= limitMs) ?? SECOND;
}
