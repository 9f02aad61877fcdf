/** What the auditor and the doctor ask of the database: the rules of safety, whose turn it is, and what was found. */
import type { Violation } from '@stella/domain';

/** What a turn did; null: it was not due, or another server has it. */
export interface AuditTurn {
  /** Rows that were looked at for the first time as broken. */
  readonly fresh: readonly Violation[];
  /** All that broke a rule. */
  readonly violations: readonly Violation[];
  /** A whole sweep has just ended. */
  readonly isSweepEnd: boolean;
}

export interface AuditFacts {
  readonly nowMs: number;
  /** Found and not yet passed by a whole sweep; at most 1,000. */
  readonly known: readonly (Violation & { readonly firstSeenAtMs: number; readonly lastSeenAtMs: number })[];
  readonly liveEndedAtMs: number | null;
  /** End of the last whole sweep; null before the first. */
  readonly sweepEndedAtMs: number | null;
}

export interface AuditStore {
  /** Looks at what changed since the last time, when that is due. */
  takeLiveTurn(everyMs: number): Promise<AuditTurn | null>;
  /** Looks at the next page of everything; a whole sweep begins again `restMs` after the last one. */
  takeSweepTurn(pace: {
    readonly everyMs: number;
    readonly restMs: number;
    readonly rows: number;
  }): Promise<AuditTurn | null>;
  /** The rules about what changed of late, asked now and written nowhere. */
  look(): Promise<readonly Violation[]>;
  readFacts(): Promise<AuditFacts>;
}
