/** Counts and durations that the engine reports; the HTTP side shows them as `/metrics`. Labels are of bounded number. */
import type { AttemptOutcome, GateKind, TerminalStatus } from '@stella/domain';

/** One attempt of a gate that ended, an early end by the engine's own deadline included. */
export interface GateEvaluation {
  readonly environment: string;
  readonly gate: string;
  readonly kind: GateKind;
  readonly outcome: AttemptOutcome;
  readonly durationMs: number;
}

export interface EngineMetrics {
  gateEvaluated(evaluation: GateEvaluation): void;
  promotionEnded(status: TerminalStatus, durationMs: number): void;
  lockAcquired(waitedMs: number): void;
  workerRenewed(atMonotonicMs: number): void;
}

/** One attempt to tell people; `dead`: it was the last one. */
export interface NotifyMetrics {
  deliveryAttempted(channel: string, outcome: 'delivered' | 'failed' | 'refused' | 'dead'): void;
}

export const NO_METRICS: EngineMetrics = {
  gateEvaluated: () => undefined,
  promotionEnded: () => undefined,
  lockAcquired: () => undefined,
  workerRenewed: () => undefined,
};
