/**
 * What a check of the doctor is: it looks, and never changes anything. To add one, write a file in `checks/` and a line in
 * `checks.ts`; route, command line and formats come with it.
 */
import type { AuditStore } from '../ports/audit-store.ts';

/** `skip`: it does not apply here, or could not look. */
export const CHECK_STATUSES = ['pass', 'warn', 'fail', 'skip'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

export interface CheckFact {
  readonly what: string;
  readonly value: string;
}

export interface CheckFinding {
  readonly status: CheckStatus;
  /** One line. */
  readonly message: string;
  readonly facts: readonly CheckFact[];
  /** What helps, and the exact command where one does; null when nothing is to be done. */
  readonly remedy: { readonly text: string; readonly command: string | null } | null;
}

/** What checks may look through. */
export interface DoctorDeps {
  readonly audit: AuditStore;
}

export interface Check {
  /** `check.<part>.<what>` */
  readonly id: string;
  readonly title: string;
  /** Why it matters. */
  readonly why: string;
  /** Ends soon after `signal` aborts. Whatever it throws is a `fail`. */
  look(deps: DoctorDeps, signal: AbortSignal): Promise<CheckFinding>;
}
