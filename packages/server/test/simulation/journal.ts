/** What gates, targets and the registry of a seed really did, for comparison with what the store says at the end. */
import type { Digest, Fence } from '@stella/domain';

export interface TargetChange {
  readonly target: string;
  readonly fence: Fence;
  readonly operationId: string;
  readonly digest: Digest;
}

export interface Journal {
  /** Verdicts that a gate's service gave, by operation id; more than one when it was asked again. */
  readonly verdicts: Map<string, Set<'passed' | 'failed'>>;
  readonly changes: TargetChange[];
  /** Recorded ends of operations at their targets, by operation id. */
  readonly operations: Map<string, 'succeeded' | 'failed'>;
  /** Faults that happened, by kind. */
  readonly faults: Map<string, number>;
  /** What was passed through, for the coverage: `status.completed`, `event.gate.held` … */
  readonly reached: Map<string, number>;
  fault(kind: string): void;
  reach(what: string): void;
}

export function makeJournal(): Journal {
  const faults = new Map<string, number>();
  const reached = new Map<string, number>();
  return {
    verdicts: new Map(),
    changes: [],
    operations: new Map(),
    faults,
    reached,
    fault: (kind) => addOne(faults, kind),
    reach: (what) => addOne(reached, what),
  };
}

export function addOne(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Adds the counts of `more` to `totals`. */
export function addCounts(totals: Map<string, number>, more: Iterable<readonly [string, number]>): void {
  for (const [what, count] of more) totals.set(what, (totals.get(what) ?? 0) + count);
}
