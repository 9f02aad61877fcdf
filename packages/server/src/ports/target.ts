/** Targets: one file per kind under `targets/`, behind these five verbs. */
import type { Digest, Fence, ProbeStage, ReleaseComponent, TargetDefinition, TargetHolding } from '@stella/domain';

export interface TargetCall {
  /** Ends the call; an apply that has not switched yet is undone. */
  readonly signal: AbortSignal;
  /** From the call to its end. */
  readonly timeoutMs: number;
}

/** May this target be worked on? Read-only, no lock, no fence. */
export type ProbeAnswer = {
  /** What was looked at, up to the first that failed. */
  readonly stages: readonly ProbeStage[];
} & /** `holds`: what it has accepted; null when the target never saw a fence. */ (
  | { readonly outcome: 'ok'; readonly message: string; readonly holds: TargetHolding | null }
  | { readonly outcome: 'failed' | 'errored'; readonly code: string; readonly message: string }
);

/** What really runs, found by looking and not by remembering. */
export interface Observation {
  /** Of the running component, or of several as `promisedDigestOf` has it; null when nothing runs or what runs is not whole. */
  readonly digest: Digest | null;
  readonly isHealthy: boolean;
  /** For people: why it is not healthy or not whole; empty when all is well. */
  readonly message: string;
  /** What it has accepted; null when the target never saw a fence. */
  readonly holds: TargetHolding | null;
}

export interface AcceptedOperation {
  readonly fence: Fence;
  /** Null after a seal. */
  readonly operationId: string | null;
}

export type ObserveAnswer =
  | { readonly outcome: 'ok'; readonly observation: Observation }
  | { readonly outcome: 'errored'; readonly code: string; readonly message: string };

export type SealAnswer =
  /** `last` is the operation that was accepted before, with its recorded result when it ended. */
  | {
      readonly outcome: 'sealed';
      readonly last: (AcceptedOperation & { readonly result: OperationAnswer | null }) | null;
    }
  | { readonly outcome: 'refused'; readonly held: Fence }
  | { readonly outcome: 'errored'; readonly code: string; readonly message: string };

/**
 * `succeeded`: switched, and what was promised is what the target now has. `failed`: the answer is no (bad artifact, full
 * disk): nothing was switched. `refused`: a newer fence is known there. `errored`: we could not tell.
 */
export type OperationAnswer =
  | { readonly outcome: 'succeeded'; readonly digest: Digest; readonly message: string }
  | { readonly outcome: 'failed'; readonly code: string; readonly message: string }
  | { readonly outcome: 'refused'; readonly held: Fence; readonly message: string }
  | { readonly outcome: 'errored'; readonly code: string; readonly message: string };

/** What of a release a target runs: one component, of kind `compose` as many as it has, each once. */
export type TargetParts = readonly [ReleaseComponent, ...ReleaseComponent[]];

/**
 * The fence rules (safety S4): the target stores the highest `(fence, operationId)`. `seal(f)` stores `(f, none)`; an
 * operation is accepted when its fence is higher or the stored pair is `(fence, none)`; the same pair returns the
 * recorded result; a lower fence is always refused, also just before the switch. A target-local lock is held during
 * the whole apply. No verb throws: every failure is an answer.
 */
export interface Target {
  probe(call: TargetCall): Promise<ProbeAnswer>;
  observe(call: TargetCall): Promise<ObserveAnswer>;
  seal(call: TargetCall, fence: Fence): Promise<SealAnswer>;
  deploy(call: TargetCall, fence: Fence, operationId: string, ...parts: TargetParts): Promise<OperationAnswer>;
  rollback(call: TargetCall, fence: Fence, operationId: string, ...parts: TargetParts): Promise<OperationAnswer>;
}

/**
 * Binds a definition to its verbs. The environment is part of what a target is: two may have targets of one name on one
 * host. Throws nothing; what is wrong shows in `probe`.
 */
export type OpenTarget = (definition: TargetDefinition, environment: string) => Target;
