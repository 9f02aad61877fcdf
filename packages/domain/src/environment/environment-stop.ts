/**
 * A stopped environment: one of its targets holds what this database does not know, because the database lost what it had
 * already done (an asynchronous fail-over, a restore) or because another installation works on the target. Nothing is
 * deployed there until an admin raises the fence (safety S2, S4).
 */
import type { Fence } from '../locks/fence.ts';
import { compareFences, formatFence } from '../locks/fence.ts';
import type { InstantMs } from '../values/instant.ts';

/** What a target says that it accepted. */
export interface TargetHolding {
  /** The highest, of an operation or of a seal. */
  readonly fence: Fence;
  /** The newest operation, sealed over or not; null when there was none. */
  readonly operation: { readonly fence: Fence; readonly operationId: string } | null;
}

/** `operation`: it carried out one that the database does not know. `fence`: its fence is newer than any drawn here. */
export const MISSING_KINDS = ['operation', 'fence'] as const;
export type MissingKind = (typeof MISSING_KINDS)[number];

export interface UnknownHolding {
  readonly target: string;
  readonly holds: TargetHolding;
  /** What the database lacks. */
  readonly lacks: MissingKind;
}

export interface EnvironmentStop extends UnknownHolding {
  /** When it was noticed. */
  readonly atMs: InstantMs;
}

/** What the database knows, for the rule below; the store answers it inside its transaction. */
export interface KnownFences {
  /** The newest fence that was ever drawn. */
  readonly drawn: Fence;
  /** Everything up to it was seen by an admin who raised the fence; null: never. */
  readonly floor: Fence | null;
  /** An attempt of this id was written, with this fence. */
  hasAttempt(operationId: string, fence: Fence): boolean;
}

/** Null when the database knows all that the target holds. The SQL twin is `outcomes_insert`. */
export function missingOf(holds: TargetHolding, known: KnownFences): MissingKind | null {
  const isNew = (fence: Fence): boolean => known.floor === null || compareFences(fence, known.floor) > 0;
  const { operation, fence } = holds;
  if (operation && isNew(operation.fence) && !known.hasAttempt(operation.operationId, operation.fence)) {
    return 'operation';
  }
  return isNew(fence) && compareFences(fence, known.drawn) > 0 ? 'fence' : null;
}

/** `target web-1 holds operation prm_….deploy.web-1.1 with fence 1.500, which this database does not know`. */
export function describeHolding({ target, holds, lacks }: UnknownHolding): string {
  const { operation, fence } = holds;
  if (lacks === 'operation' && operation) {
    const what = `operation ${operation.operationId} with fence ${formatFence(operation.fence)}`;
    return `target ${target} holds ${what}, which this database does not know`;
  }
  return `target ${target} holds fence ${formatFence(fence)}, newer than any that this database drew`;
}

/** Why promotions wait there, with the exact cure. */
export function describeStop(environment: string, stop: UnknownHolding): string {
  return `${environment} is stopped (fence.behind): ${describeHolding(stop)}; look at what runs there, then: ${cureOf(environment)}`;
}

export function cureOf(environment: string): string {
  return `stella orch fence raise --env ${environment}`;
}
