/**
 * A target in memory that keeps the fence rules to the letter (domain, "Fences at targets"; safety S4): it stores the
 * highest accepted pair, refuses what is older, and looks once more just before it switches. An operation goes on after
 * its caller has died, as a process on another machine would.
 */
import { compareFences, type Digest, type Fence } from '@stella/domain';
import { insist } from './safety-violation.ts';

export type OperationOutcome = 'succeeded' | 'failed';

export interface TargetOperation {
  readonly fence: Fence;
  readonly operationId: string;
  readonly digest: Digest;
}

export type Acceptance =
  | { readonly kind: 'accepted' }
  /** A repeat of the stored pair: its result, null while it runs. */
  | { readonly kind: 'known'; readonly outcome: OperationOutcome | null }
  | { readonly kind: 'refused'; readonly held: Fence };

export interface SealedOperation {
  readonly operationId: string | null;
  readonly outcome: OperationOutcome | null;
}

export interface MemoryTarget {
  begin(operation: TargetOperation): Acceptance;
  /** Ends an operation that was accepted; without effect when a newer fence has ended it meanwhile. */
  end(operationId: string, outcome: OperationOutcome): void;
  /** Answers what was accepted before; null when the fence is older than the stored one. */
  seal(fence: Fence): SealedOperation | null;
  /** What runs, found by looking. */
  digest(): Digest | null;
  /** Every change of what runs, oldest first. */
  readonly switches: readonly { readonly operationId: string; readonly fence: Fence; readonly digest: Digest }[];
}

interface Accepted {
  readonly fence: Fence;
  readonly operation: TargetOperation | null;
  outcome: OperationOutcome | null;
}

/** `initial` is what was put there before Stella came. */
export function makeMemoryTarget(initial: Digest | null = null): MemoryTarget {
  let accepted: Accepted | null = null;
  const switches: { operationId: string; fence: Fence; digest: Digest }[] = [];
  return {
    begin(operation) {
      const order = accepted ? compareFences(operation.fence, accepted.fence) : 1;
      if (order === 0 && accepted?.operation?.operationId === operation.operationId) {
        return { kind: 'known', outcome: accepted.outcome };
      }
      if (accepted && (order < 0 || (order === 0 && accepted.operation !== null))) {
        return { kind: 'refused', held: accepted.fence };
      }
      accepted = { fence: operation.fence, operation, outcome: null };
      return { kind: 'accepted' };
    },
    end(operationId, outcome) {
      if (accepted?.operation?.operationId !== operationId || accepted.outcome !== null) return;
      accepted.outcome = outcome;
      if (outcome === 'failed') return;
      const { fence, digest } = accepted.operation;
      const last = switches.at(-1);
      insist('S4', !last || compareFences(fence, last.fence) > 0, () => `${operationId} switched with an old fence`);
      switches.push({ operationId, fence, digest });
    },
    seal(fence) {
      if (accepted && compareFences(fence, accepted.fence) < 0) return null;
      const last = accepted;
      const isRepeat = last !== null && compareFences(fence, last.fence) === 0 && last.operation === null;
      if (!isRepeat) accepted = { fence, operation: null, outcome: null };
      return { operationId: last?.operation?.operationId ?? null, outcome: last?.outcome ?? null };
    },
    digest: () => switches.at(-1)?.digest ?? initial,
    switches,
  };
}
