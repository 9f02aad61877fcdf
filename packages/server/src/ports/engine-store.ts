/**
 * What the worker asks of the database. Every method is one transaction and has a deadline. Implementations:
 * PostgreSQL (`store/`). Instants come from the database's clock.
 */
import type {
  Actor,
  AttemptResult,
  DecideContext,
  Decision,
  PromotionId,
  PromotionSnapshot,
  TargetHolding,
  WorkerId,
} from '@stella/domain';

export interface Claim {
  readonly promotionId: PromotionId;
  /** Raised by the claim; every write of the worker names it (safety S3). */
  readonly claimEpoch: number;
  /** The previous claim was not given back. */
  readonly isTakeover: boolean;
  /** Claims in a row, this one included, whose worker died before it wrote anything; 0 for a healthy promotion. */
  readonly failureCount: number;
}

/**
 * From so many failed claims on a promotion is a suspect, of which a worker takes one at a time (safety L8); an innocent
 * one is cleared by its next tick.
 */
export const SUSPECT_FAILURES = 2;

/** Why a worker gives a promotion up for now. */
export interface ClaimFailure {
  /** The same each time; shown to people. */
  readonly message: string;
  /** Attempts that ended so. */
  readonly count: number;
}

/** Without it: `due`. */
export type OwnedScope = 'due' | 'all';

export interface DueWork {
  /** Newly claimed for this worker. */
  readonly claimed: readonly Claim[];
  /**
   * Already this worker's, and due: a timer ran out or somebody asked for something. With `all` also those whose claim
   * committed while its answer was lost: so each can be run, as a takeover, by a worker that does not know of it (safety
   * S17), before it is due again.
   */
  readonly owned: readonly Claim[];
}

export interface EffectResult extends Omit<AttemptResult, 'endedAtMs' | 'outcome'> {
  /** `acknowledged` is no outcome: the effect is over, and the attempt stays open for a callback. */
  readonly outcome: AttemptResult['outcome'] | 'acknowledged';
  /** What the target said that it holds, where the effect was told; the store compares it with what it knows. */
  readonly holds?: TargetHolding | null;
}

/** The outcome of an effect; inserted once by operation id, whatever became of the claim meanwhile (safety S3). */
export interface OutcomeRecord {
  readonly operationId: string;
  readonly result: EffectResult;
}

export type TickResult =
  /** Written (or nothing had to be); `snapshot` is what `decide` saw. */
  | { readonly kind: 'written'; readonly snapshot: PromotionSnapshot; readonly decision: Decision }
  /** Another worker has the promotion, or it has none: stop at once. The outcomes are kept as `late`. */
  | { readonly kind: 'claim_lost' };

export type DecideCallback = (
  snapshot: PromotionSnapshot,
  context: DecideContext,
  ended: readonly string[],
) => Decision;

/** A worker's own session, by which others see that its process lives. */
export interface WorkerSession {
  readonly pid: number;
  /** RFC 3339 as the database prints it, microseconds included. */
  readonly backendStart: string;
  readonly postmasterStart: string;
}

export interface EngineStore {
  registerWorker(worker: {
    id: WorkerId;
    session: WorkerSession;
    hostname: string;
    version: string;
    leaseTtlMs: number;
  }): Promise<void>;
  /** False: others have declared this worker dead; it must stop at once. */
  renewLease(workerId: WorkerId, leaseTtlMs: number): Promise<boolean>;
  /** Gives back every claim and signs off; what it held is due at once. */
  retireWorker(workerId: WorkerId): Promise<void>;
  /**
   * Declares workers dead whose lease ran out, or whose session is gone while the postmaster is the same (safety L2),
   * and makes their promotions due. Answers those declared dead by this call.
   */
  buryDeadWorkers(workerId: WorkerId): Promise<readonly WorkerId[]>;
  /**
   * `for update skip locked`, oldest due first, at most `limit`. A takeover is claimed only from a dead worker. `owned` is
   * what of its own is due, or all of it, due or not, for a worker that missed an answer.
   */
  takeDueWork(workerId: WorkerId, limit: number, owned?: OwnedScope): Promise<DueWork>;
  /**
   * One transaction: insert the outcomes, lock the promotion's row and check the claim, read the snapshot, decide, when
   * asked lock the environment's row and decide again with the guard, write. A commit whose answer was lost is resolved by
   * calling again with the same outcomes: what was written is seen and not written twice (safety S17).
   */
  tick(claim: Claim, outcomes: readonly OutcomeRecord[], decide: DecideCallback): Promise<TickResult>;
  /**
   * Sets a promotion aside that no worker can move (safety L8): gives its claim back, with an event; it is looked at again
   * later, as a takeover, or as soon as a person asks. False: the claim was lost.
   */
  setAside(claim: Claim, failure: ClaimFailure, actor: Actor): Promise<boolean>;
  /** Removes what retention allows: attempt output, idempotency keys. At most `limit` rows of each per call. */
  prune(limit: number): Promise<void>;
}
