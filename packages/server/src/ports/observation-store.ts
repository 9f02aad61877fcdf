/** What the observer of targets asks of the database. Every method is one transaction and has a deadline. */
import type { InstantMs, TargetDefinition, TargetLookAt, TargetObservation } from '@stella/domain';

/** One look at the targets of one environment, as it was claimed. */
export interface DueRound {
  readonly environment: string;
  /** Of this claim: what is found counts until another one follows. */
  readonly number: number;
  readonly claimedAtMs: InstantMs;
  /** Those that no promotion is changing. */
  readonly targets: readonly TargetDefinition[];
  /** Targets that are looked at together. */
  readonly atOnce: number;
  /** Of each look. */
  readonly timeoutMs: number;
}

export interface Observer {
  /** The server that looked. */
  readonly by: string;
  /** From 0 to below 1: when in the interval the next look is. */
  readonly jitter: number;
}

export interface ObservationStore {
  /**
   * Environments whose targets are due to be looked at, longest due first, at most `limit`; those that another one claims at
   * this moment are skipped, and so are those that a promotion holds. The claim moves the due time beyond the deadline of
   * the looking. None with `observe.mode off`.
   */
  takeDueRounds(limit: number): Promise<readonly DueRound[]>;
  /**
   * What was found, with its events and the next due time. Null, and nothing is written, when the round was claimed again
   * or the environment removed meanwhile: then this is late.
   */
  recordRound(
    round: DueRound,
    looks: readonly TargetLookAt[],
    observer: Observer,
  ): Promise<readonly TargetObservation[] | null>;
}
