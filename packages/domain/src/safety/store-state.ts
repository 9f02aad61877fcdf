/**
 * Everything that a store holds, as plain rows of the domain: what the rules of safety and liveness are asked about. Both
 * stores answer it whole, from one moment between transactions.
 */
import type { ChainedEvent } from '../audit/event.ts';
import type { ObservedBreak } from '../environment/soundness.ts';
import type {
  Approval,
  Attempt,
  AttemptResult,
  EnvironmentStatus,
  GateRun,
  Lock,
  Promotion,
  StepRun,
} from '../promotion/promotion.ts';
import type { Skip } from '../promotion/skip.ts';
import type { Release } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import type { WorkerId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';

export interface StoreState {
  readonly installation: StoredInstallation;
  readonly promotions: readonly PromotionRecord[];
  /** Live and released. */
  readonly locks: readonly StoredLock[];
  readonly environments: readonly EnvironmentStatus[];
  /** Of targets, by looks between promotions: the last one of each. */
  readonly breaks: readonly ObservedBreak[];
  readonly releases: readonly Release[];
  readonly workers: readonly StoredWorker[];
  /** Those of no promotion; the others are with their promotion. */
  readonly events: readonly StoredEvent[];
  /** The end of the global chain. */
  readonly chain: { readonly seq: number; readonly hash: Digest | null };
  readonly idempotencyKeys: readonly StoredKey[];
}

export interface StoredInstallation {
  /** First part of every fence. */
  readonly epoch: number;
  /** The last number drawn for a fence; 0 before the first. */
  readonly lastFenceNumber: number;
}

/** One promotion with everything that is only its own. */
export interface PromotionRecord {
  readonly promotion: Promotion;
  readonly steps: readonly StepRun[];
  readonly gateRuns: readonly GateRun[];
  readonly attempts: readonly StoredAttempt[];
  readonly approvals: readonly StoredApproval[];
  readonly skips: readonly StoredSkip[];
  /** By their place in its own chain; none once retention removed them. */
  readonly events: readonly StoredEvent[];
}

/** An intent with all that was ever reported of it, the late ones too. */
export type StoredAttempt = Omit<Attempt, 'result'> & { readonly outcomes: readonly StoredOutcome[] };

export type StoredOutcome = Omit<AttemptResult, 'output'> & { readonly isLate: boolean };

/** Without the rights of the moment, which are nobody's row. */
export type StoredApproval = Omit<Approval, 'bindingsNow'>;

/** What of a skip its right depends on. */
export type StoredSkip = Pick<
  Skip,
  | 'id'
  | 'gateRunId'
  | 'state'
  | 'requestedBy'
  | 'decidedBy'
  | 'decidedAtMs'
  | 'expiresAtMs'
  | 'baseReleaseId'
  | 'definitionHash'
>;

export type StoredLock = Lock & { readonly releasedAtMs: InstantMs | null };

export interface StoredWorker {
  readonly id: WorkerId;
  readonly state: 'live' | 'dead' | 'retired';
  readonly heartbeatAtMs: InstantMs;
  readonly leaseUntilMs: InstantMs;
}

export interface StoredEvent extends ChainedEvent {
  /** Place and hash in the global chain; null until the sequencer came by. */
  readonly seq: number | null;
  readonly chainHash: Digest | null;
}

export interface StoredKey {
  /** Actor, route and key. */
  readonly name: string;
  /** HTTP status of the kept answer; null: the effect was stored without its answer. */
  readonly status: number | null;
}
