/** All that `decide` may look at, read in one transaction. */
import type { UnknownHolding } from '../environment/environment-stop.ts';
import type { QuotaUse } from '../environment/quota.ts';
import type { ObservedBreak } from '../environment/soundness.ts';
import type { Fence } from '../locks/fence.ts';
import type { Release } from '../release/release.ts';
import type { Settings } from '../settings/settings.ts';
import type { IdSource, LockId, PromotionId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type {
  Approval,
  Attempt,
  EnvironmentState,
  EnvironmentStatus,
  GateRun,
  Lock,
  Promotion,
  StepRun,
} from './promotion.ts';
import type { GateDebt } from './gate-debt.ts';
import type { Skip } from './skip.ts';
import type { Priority } from './status.ts';

export interface PromotionSnapshot {
  readonly promotion: Promotion;
  readonly release: Release;
  readonly steps: readonly StepRun[];
  readonly gateRuns: readonly GateRun[];
  /** By number; the ones of earlier rounds included. */
  readonly attempts: readonly Attempt[];
  readonly approvals: readonly Approval[];
  /** Oldest first; the ended ones included. */
  readonly skips: readonly Skip[];
  /** Its own, and the open ones of other promotions in this environment. */
  readonly debts: readonly GateDebt[];
  /** Own live locks. */
  readonly locks: readonly Lock[];
  readonly environment: EnvironmentStatus;
  /** What the environment ran when it was last verified, as far as this promotion is about it (`composeBase`). */
  readonly base: Release | null;
  /** What the promotion is bound to, when the environment runs another release by now; null otherwise. */
  readonly formerBase: Release | null;
  /** One per environment of `promotesFrom`. */
  readonly predecessors: readonly PredecessorStatus[];
  /** What gates of kind dependency ask about; empty when there is none. */
  readonly dependencies: DependencySnapshot;
  readonly settings: Settings;
  /** Looked for with `queue: latest` only: the newest live promotion that takes this one's place (`doesReplace`). */
  readonly replacement: Replacement | null;
}

export interface DependencySnapshot {
  /** One per environment that is asked about and there. */
  readonly places: readonly DependencyStatus[];
  /** Those that are named and there. */
  readonly releases: readonly WantedRelease[];
}

export interface WantedRelease {
  readonly name: string;
  readonly number: number;
  /** In order of name. */
  readonly components: readonly { readonly name: string }[];
}

export const NO_DEPENDENCIES: DependencySnapshot = { places: [], releases: [] };

export interface DependencyComponent {
  readonly name: string;
  /** Null: it was touched but never verified. */
  readonly releaseName: string | null;
  readonly releaseNumber: number;
  readonly state: EnvironmentState;
}

export interface DependencyStatus {
  readonly environment: string;
  /** What it runs; null before the first, and while its components are of several releases. */
  readonly releaseName: string | null;
  /** 0 before the first. */
  readonly releaseNumber: number;
  readonly state: EnvironmentState;
  /** In order of name. */
  readonly components: readonly DependencyComponent[];
  /** Promotions there that are past their gates and have not ended. */
  readonly busyCount: number;
}

export interface Replacement {
  readonly promotionId: PromotionId;
  readonly releaseName: string;
}

export interface PredecessorStatus extends EnvironmentStatus {
  /** When this release, or for `kind: deploy` the last of its artifacts, last completed there; null when it never did. */
  readonly completedAtMs: InstantMs | null;
  /** For `kind: deploy`: since when all its artifacts run there whole, of whatever releases; null when they do not. */
  readonly artifactsSinceMs: InstantMs | null;
  /** Of each target that looks ever found unsound the last time, in order of name. */
  readonly breaks: readonly ObservedBreak[];
}

/**
 * What may be looked at, and drawn, only while the transaction holds the environment's row `for update`: everything
 * that decides about the queue, locks, fences and the right to deploy (safety S1, S2, S8).
 */
export interface EnvironmentGuard {
  /** A live lock of another promotion on the environment, or on a component that this one carries; null: free. */
  readonly holder: LockHolder | null;
  /** Other live promotions that wait for this environment's lock. */
  readonly waiters: readonly Waiter[];
  /** Null: nothing limits how many start. */
  readonly quota: QuotaUse | null;
  /** Drawn for this transaction; unused numbers leave a gap, which is fine. */
  readonly ticket: number;
  readonly fence: Fence;
}

export interface LockHolder {
  readonly lockId: LockId;
  readonly promotionId: PromotionId;
  /** Nobody works for the holder: it ended, or its claim expired without a next action. */
  readonly isStale: boolean;
}

export interface Waiter {
  readonly promotionId: PromotionId;
  readonly ticket: number;
  readonly priority: Priority;
  /** That its release carries. */
  readonly components: readonly string[];
}

export interface DecideContext {
  /** By the database's clock. */
  readonly nowMs: InstantMs;
  /** For new gate runs and locks. */
  readonly ids: IdSource;
  /** Null: not guarded; a decision that needs it answers `needsGuard`. */
  readonly guard: EnvironmentGuard | null;
  /** The claim was taken over from a worker that did not give it back. True for one call only. */
  readonly isTakeover: boolean;
  /** What the outcomes of this call say that targets hold and the database does not know (`fence.behind`). */
  readonly unknownHoldings?: readonly UnknownHolding[];
}
