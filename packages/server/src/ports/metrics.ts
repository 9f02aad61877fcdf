/** Counts and durations that the engine reports; the HTTP side shows them as `/metrics`. Labels are of bounded number. */
import type { AttemptOutcome, GateKind, TerminalStatus } from '@stella/domain';

export interface EngineMetrics {
  gateAttempted(kind: GateKind, outcome: AttemptOutcome): void;
  promotionEnded(status: TerminalStatus, durationMs: number): void;
  lockAcquired(waitedMs: number): void;
  workerRenewed(atMonotonicMs: number): void;
}

export const NO_METRICS: EngineMetrics = {
  gateAttempted: () => undefined,
  promotionEnded: () => undefined,
  lockAcquired: () => undefined,
  workerRenewed: () => undefined,
};
