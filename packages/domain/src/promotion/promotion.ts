/**
 * The promotion and everything that belongs to it, as plain immutable data. The store keeps these as rows; `decide`
 * reads them and answers what they become.
 */
import type { ConcurrencyMode, EnvironmentDefinition, GateKind } from '../environment/environment-definition.ts';
import type { EnvironmentStop } from '../environment/environment-stop.ts';
import type { EnvironmentFreeze, PlannedFreeze } from '../environment/freeze.ts';
import type { QuotaDefinition, QuotaName } from '../environment/quota.ts';
import type { QuotaRequest } from '../environment/quota-request.ts';
import type { ErrorCode } from '../errors/error-codes.ts';
import type { Actor } from '../identity/actor.ts';
import type { RoleBinding } from '../identity/authorize.ts';
import type { Fence } from '../locks/fence.ts';
import type { Digest } from '../values/digest.ts';
import type { ApprovalId, GateRunId, LockId, PersonId, PromotionId, ReleaseId, WorkerId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type { GateRunState, Priority, PromotionKind, PromotionStatus, Step, StepState } from './status.ts';

export interface Promotion {
  readonly id: PromotionId;
  readonly releaseId: ReleaseId;
  readonly environment: string;
  readonly kind: PromotionKind;
  /** Of `kind: deploy` only: it need not have been in the predecessors, as an operator has said. */
  readonly isForced: boolean;
  readonly priority: Priority;
  readonly requestedBy: Actor;
  /** The ended promotion that this one repeats. */
  readonly retryOf: PromotionId | null;
  /** Frozen when the promotion was made. */
  readonly definition: EnvironmentDefinition;
  readonly definitionHash: Digest;
  readonly status: PromotionStatus;
  readonly step: Step;
  /** What the environment ran when the gates of the current round were opened (`baseIdOf`). */
  readonly baseReleaseId: ReleaseId | null;
  /** How its part of the environment was when the last deploy began; null: none has. For people: nothing is decided by it. */
  readonly baseState: EnvironmentState | null;
  /** Place in the queue; drawn on entering `acquire_locks`, given back when gates open again. */
  readonly ticket: number | null;
  /** Revision of the environment when a preflight without locks began; null: none is under way (`locks.mode`). */
  readonly preflightRevision: number | null;
  /** The quota that is used up and that it waits for; null: none. */
  readonly quotaWait: QuotaName | null;
  readonly createdAtMs: InstantMs;
  readonly lastProgressAtMs: InstantMs;
  /** Last entry into `in_progress`. */
  readonly inProgressSinceMs: InstantMs;
  /** End of the time under lock for the current direction (forward, or rollback); null while no lock is held. */
  readonly deployDeadlineAtMs: InstantMs | null;
  readonly cancelRequestedAtMs: InstantMs | null;
  readonly cancelRequestedBy: Actor | null;
  /** Set by `promotion retry`; `decide` gives the failed part a new attempt and clears it. */
  readonly retryRequestedAtMs: InstantMs | null;
  readonly endedAtMs: InstantMs | null;
  /** Why it ended otherwise than `completed`, or why it is being rolled back. */
  readonly ending: Ending | null;
  readonly version: number;
  readonly claimEpoch: number;
  /** The claim; null when nobody works on it. */
  readonly workerId: WorkerId | null;
  /** When a worker must look again; null only when terminal. */
  readonly nextActionAtMs: InstantMs | null;
  /** No worker could move it (safety L8); null otherwise. The store sets it, and clears it by the next good tick. */
  readonly setAside: SetAside | null;
  /** Head of the promotion's own audit chain. */
  readonly chainHead: Digest | null;
  readonly chainLength: number;
}

export interface SetAside {
  readonly atMs: InstantMs;
  /** What went wrong, the same each time. */
  readonly message: string;
}

export interface Ending {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface StepRun {
  readonly step: Step;
  readonly state: StepState;
  readonly startedAtMs: InstantMs | null;
  readonly endedAtMs: InstantMs | null;
  /** What it waits for, or how it ended; for people. */
  readonly message: string;
}

export interface GateRun {
  readonly id: GateRunId;
  readonly gate: string;
  readonly kind: GateKind;
  readonly meaningHash: Digest;
  /** 1 for the first; an expired verdict or a changed base opens the next. */
  readonly round: number;
  readonly state: GateRunState;
  /** Attempts made, the open one included. */
  readonly attemptCount: number;
  /** Attempts allowed by now; a retry during the hold raises it. */
  readonly attemptLimit: number;
  readonly nextAttemptAtMs: InstantMs | null;
  /** For gates with one evaluation; null for those with attempts. */
  readonly deadlineAtMs: InstantMs | null;
  readonly heldUntilMs: InstantMs | null;
  /** Set once (safety S7). */
  readonly verdict: 'passed' | 'failed' | null;
  readonly verdictAtMs: InstantMs | null;
  readonly validUntilMs: InstantMs | null;
  /** For a soak that runs: when it will be over; for a window that is closed: when it opens. */
  readonly dueAtMs: InstantMs | null;
  readonly startedAtMs: InstantMs | null;
  readonly message: string;
}

export const ATTEMPT_PURPOSES = [
  'precheck_target',
  'precheck_artifact',
  'gate',
  'preflight_target',
  'preflight_artifact',
  'seal',
  'deploy',
  'batch_verify',
  'judge',
  'verify',
  'rollback',
  'rollback_verify',
] as const;
export type AttemptPurpose = (typeof ATTEMPT_PURPOSES)[number];

/**
 * `passed`/`succeeded` and `failed` are answers; `refused` is a target that knows a newer fence; `timeout` and
 * `errored` mean that we could not tell.
 */
export const ATTEMPT_OUTCOMES = ['passed', 'succeeded', 'failed', 'refused', 'timeout', 'error'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** An intent to do something outside, written before it is done. Open until its one outcome is recorded. */
export interface Attempt {
  /** Unique, derived: the same intent has the same id (safety S17). */
  readonly operationId: string;
  readonly purpose: AttemptPurpose;
  /** The gate, target or component that it is about. */
  readonly subject: string;
  readonly gateRunId: GateRunId | null;
  /** 1, 2, 3 … for the same purpose and subject. */
  readonly number: number;
  readonly fence: Fence | null;
  readonly startedAtMs: InstantMs;
  readonly deadlineAtMs: InstantMs;
  /** The gate's service has taken the question and calls back; until then, or else, null. Nothing of it runs any more. */
  readonly acknowledgedAtMs: InstantMs | null;
  /** Who brought the result; null while there is none, and when a callback or a rule ended it. For people: nothing is decided by it. */
  readonly workerId: WorkerId | null;
  readonly result: AttemptResult | null;
}

export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  /** Error code; empty for `passed` and `succeeded`. */
  readonly code: string;
  readonly message: string;
  /** Captured answer in canonical form, cut at `limits.attemptOutput`. */
  readonly output: string;
  /** Observed or promised digest, where the attempt is about one. */
  readonly digest: Digest | null;
  /** For `seal`: the operation that the target had accepted before, and its recorded outcome when it ended. */
  readonly sealed: { readonly operationId: string | null; readonly outcome: AttemptOutcome | null } | null;
  readonly endedAtMs: InstantMs;
}

export interface Approval {
  readonly id: ApprovalId;
  readonly gateRunId: GateRunId;
  readonly gate: string;
  readonly personId: PersonId;
  readonly subject: string;
  readonly decision: 'approved' | 'rejected';
  readonly reason: string;
  /** What the approval is bound to: base and definition at that moment. */
  readonly baseReleaseId: ReleaseId | null;
  readonly definitionHash: Digest;
  readonly atMs: InstantMs;
  /** The approver's bindings now, not then: rights are checked again when the intent is written (safety S9). */
  readonly bindingsNow: readonly RoleBinding[];
}

export const LOCK_MODES = ['exclusive', 'shared'] as const;
export type LockMode = (typeof LOCK_MODES)[number];

export interface Lock {
  readonly id: LockId;
  /** `environment:<name>`, `environment:<name>/<component>` or `artifact:<digest>`. */
  readonly resource: string;
  readonly mode: LockMode;
  readonly promotionId: PromotionId;
  /** Drawn when it was taken, and anew at each takeover and each attempt. */
  readonly fence: Fence;
  readonly acquiredAtMs: InstantMs;
}

export const ENVIRONMENT_STATES = ['empty', 'whole', 'mixed', 'unknown'] as const;
export type EnvironmentState = (typeof ENVIRONMENT_STATES)[number];

/** What runs of one component, as the last verified promotion of it left it. */
export interface ComponentStatus {
  readonly component: string;
  /** Null: it was touched but never verified. */
  readonly releaseId: ReleaseId | null;
  readonly releaseNumber: number;
  readonly releasedAtMs: InstantMs | null;
  readonly state: EnvironmentState;
}

/** What an environment runs, as the last verified promotions left it. */
export interface EnvironmentStatus {
  readonly name: string;
  /** The release of all components; null before the first, and while they are of several releases. */
  readonly releaseId: ReleaseId | null;
  /** The highest number that runs there; 0 before the first. */
  readonly releaseNumber: number;
  /** When it was verified there. */
  readonly releasedAtMs: InstantMs | null;
  readonly state: EnvironmentState;
  /** Raised by each change of its definition that is applied. */
  readonly policyRevision: number;
  /** Why nothing is deployed there; null when all is well. */
  readonly stop: EnvironmentStop | null;
  /** The newest that an operator has set, also when it is over; null: there was none. */
  readonly freeze: EnvironmentFreeze | null;
  /** Of the newest version of its definition. */
  readonly plannedFreezes: readonly PlannedFreeze[];
  /** Of the newest version of its definition; null: none. */
  readonly quotas: QuotaDefinition | null;
  /** What people asked to be allowed, at most one per quota; answered ones stay until they are asked again. */
  readonly quotaRequests: readonly QuotaRequest[];
  readonly concurrency: ConcurrencyMode;
  /** In order of name; the components of the one release, with `concurrency: exclusive`. */
  readonly components: readonly ComponentStatus[];
}

/** `operationIdOf('prm_…', 'deploy', 'web-1', 2)`: the same intent has the same id everywhere. */
export function operationIdOf(
  promotionId: PromotionId,
  purpose: AttemptPurpose,
  subject: string,
  ordinal: string,
): string {
  return `${promotionId}.${purpose}.${subject}.${ordinal}`;
}
