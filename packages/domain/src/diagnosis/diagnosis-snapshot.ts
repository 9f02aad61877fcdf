/**
 * All that a diagnosis looks at, read at one moment. What could not be read is null, and then nothing is concluded from it.
 * Instants are by the database's clock.
 */
import type { RoleBinding } from '../identity/authorize.ts';
import type { AttemptOutcome } from '../promotion/promotion.ts';
import type { PromotionSnapshot } from '../promotion/snapshot.ts';
import type { Priority } from '../promotion/status.ts';
import type { LockId, PersonId, PromotionId, WorkerId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type { ProbeReport } from './probe-report.ts';

export interface DiagnosisSnapshot {
  readonly nowMs: InstantMs;
  /** The one that is asked about. */
  readonly subject: LinkedPromotion;
  /** Those that it waits for, directly or through others; bounded by the reader. */
  readonly others: readonly LinkedPromotion[];
  readonly workers: readonly WorkerFacts[];
  readonly database: DatabaseFacts;
  /** The newest of each target, gate and registry of the environment. */
  readonly probes: readonly ProbeReport[];
  /** Newest first; of the open gates of the subject, over all promotions to its environment; at most 10 of each. */
  readonly gateCalls: readonly GateCall[];
  /** Persons who may approve in some environment; null: too many, or not read. */
  readonly approvers: readonly Approver[] | null;
  readonly server: ServerFacts;
}

export interface LinkedPromotion {
  readonly snapshot: PromotionSnapshot;
  /** What keeps it in `acquire_locks`, the holders first; empty elsewhere. */
  readonly blockedBy: readonly Blocker[];
}

export interface Blocker {
  readonly promotionId: PromotionId;
  /** The lock that it holds; null: it only goes before in the queue. */
  readonly lock: { readonly id: LockId; readonly resource: string; readonly acquiredAtMs: InstantMs } | null;
  /** Nobody works for it. */
  readonly isStale: boolean;
  readonly priority: Priority;
}

export interface WorkerFacts {
  readonly id: WorkerId;
  readonly hostname: string;
  readonly version: string;
  readonly state: 'live' | 'dead' | 'retired';
  readonly heartbeatAtMs: InstantMs;
  readonly leaseUntilMs: InstantMs;
}

export interface DatabaseFacts {
  readonly isReadOnly: boolean;
  readonly connectionCount: number;
  readonly connectionCountMax: number;
  /** How long a small read took, there and back. */
  readonly readMs: number;
  /** Sessions that hold rows which somebody needs for the subject. */
  readonly blocks: readonly DatabaseBlock[];
  /** Where its data lies, when that is on the server's own machine. */
  readonly disk: { readonly path: string; readonly freeBytes: number } | null;
}

export interface DatabaseBlock {
  /** `other`: of something else that a session of the product waits for. */
  readonly row: 'promotion' | 'environment' | 'other';
  readonly pid: number;
  /** Since its transaction began; null: the server's role may not see it. */
  readonly ageMs: number | null;
  /** Shortened, without literals; empty when it may not be seen. */
  readonly query: string;
  readonly user: string;
  readonly application: string;
  /** `idle in transaction`, `active`; empty when it may not be seen. */
  readonly state: string;
  /** Sessions of the product that wait for it now. */
  readonly waiterCount: number;
}

/** One ended attempt at a gate. */
export interface GateCall {
  readonly gate: string;
  readonly startedAtMs: InstantMs;
  readonly endedAtMs: InstantMs;
  readonly timeoutMs: number;
  readonly outcome: AttemptOutcome;
}

export interface Approver {
  readonly personId: PersonId;
  readonly subject: string;
  readonly bindings: readonly RoleBinding[];
}

/** The server that answers. */
export interface ServerFacts {
  readonly hostname: string;
  readonly version: string;
  /** Its clock less the database's, at about the same moment. */
  readonly clockAheadMs: number;
}
