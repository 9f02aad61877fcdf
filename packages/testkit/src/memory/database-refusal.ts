/** What PostgreSQL refuses by a constraint, a trigger or a lock, with the same code. */
import { SafetyViolation } from '../simulation/safety-violation.ts';

export interface RefusalReason {
  /** `23505`, `ST001`, `40P01` …, as PostgreSQL reports it. */
  readonly sqlState: string;
  /** Name of the constraint or unique index; null for triggers and locks. */
  readonly constraint?: string;
  /** The property that the rule guards: `S1`, `S5` …; default `store`. */
  readonly property?: string;
}

/** Also a broken promise: whoever drives the store sees that something was tried which must never be tried. */
export class DatabaseRefusal extends SafetyViolation {
  readonly code: string;
  readonly constraint: string | null;

  constructor(message: string, { sqlState, constraint, property = 'store' }: RefusalReason) {
    super(property, message);
    this.name = 'DatabaseRefusal';
    this.code = sqlState;
    this.constraint = constraint ?? null;
  }
}

/** Throws a `DatabaseRefusal` when the condition does not hold. The message is built only then. */
export function demand(condition: boolean, reason: RefusalReason, message: () => string): asserts condition {
  if (!condition) throw new DatabaseRefusal(message(), reason);
}
