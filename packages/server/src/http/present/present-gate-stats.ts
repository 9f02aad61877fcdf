/** What was measured at a gate's service as the API shows it, beside what the service promises. */
import type { Answer } from '@stella/contract';
import type { GateStats } from '../../ports/read-store.ts';

export interface StatsFrame {
  /** The window as it was asked for. */
  readonly last: string;
  readonly slaMs: number | null;
}

export function presentGateStats(
  stats: GateStats,
  { last, slaMs }: StatsFrame,
): Answer<'getGateStats'>['items'][number] {
  const endedCount = stats.attemptCount - stats.openCount;
  return { ...stats, last, timeoutRate: endedCount === 0 ? 0 : stats.timeoutCount / endedCount, slaMs };
}

/** Of a gate that nothing was asked in the window. */
export function emptyStats(gate: string, environment: string): GateStats {
  return {
    gate,
    environment,
    attemptCount: 0,
    passedCount: 0,
    failedCount: 0,
    timeoutCount: 0,
    errorCount: 0,
    openCount: 0,
    p50Ms: null,
    p95Ms: null,
    maxMs: null,
    isCut: false,
  };
}
