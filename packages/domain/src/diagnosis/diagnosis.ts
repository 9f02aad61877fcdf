/**
 * What a diagnosis says: whether a promotion goes on by itself, what keeps it, on which facts that rests, and what cures it.
 * One list of causes feeds the command line, the API, the doctor and the alerts, so that they never disagree.
 */
import type { Role } from '../identity/authorize.ts';
import type { PromotionId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type { CauseCode } from './causes.ts';

/**
 * `healthy`: it goes on. `waiting`: for a person, a time or its turn, and nothing is wrong. `stalled`: it does not go on by
 * itself, or has made no progress for `stuck.after`. `ended`: nothing is waited for any more.
 */
export const VERDICTS = ['healthy', 'waiting', 'stalled', 'ended'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** `certain`: the facts leave no other reading. `likely`: they point there. */
export const CONFIDENCES = ['certain', 'likely'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export const FACT_SOURCES = [
  'promotion',
  'attempts',
  'probe',
  'definition',
  'settings',
  'environment',
  'locks',
  'queue',
  'workers',
  'database',
  'people',
  'server',
] as const;
export type FactSource = (typeof FACT_SOURCES)[number];

/** `{ what: 'gate tests', value: 'attempt 3 of 3: no answer within 60000 ms', … }` */
export interface Fact {
  readonly what: string;
  readonly value: string;
  /** When it was so. */
  readonly atMs: InstantMs;
  /** Where it was read. */
  readonly source: FactSource;
}

/**
 * `command` cures by itself. `external`: something outside is to be mended; its command then resumes, or verifies. `wait`:
 * until `untilMs`; its command, where it has one, is what shortens it.
 */
export const REMEDY_KINDS = ['command', 'external', 'wait'] as const;
export type RemedyKind = (typeof REMEDY_KINDS)[number];

export const HARMS = ['none', 'low', 'high'] as const;
export type Harm = (typeof HARMS)[number];

export interface Remedy {
  readonly kind: RemedyKind;
  /** What to do, one sentence. */
  readonly text: string;
  /** As it is typed, ids whole; null: there is nothing to type. */
  readonly command: string | null;
  /** What comes of it, and what it may break. */
  readonly effect: string;
  readonly harm: Harm;
  /** The role that the command asks for; null: none. */
  readonly needs: Role | null;
  /** Another person must approve before it counts. */
  readonly needsApproval: boolean;
  /** Of `wait`: when it ends by itself; null: that is not known. */
  readonly untilMs: InstantMs | null;
}

export interface Cause {
  readonly code: CauseCode;
  readonly title: string;
  readonly confidence: Confidence;
  /** Whose it is: its own, or of a promotion that it waits for. */
  readonly promotionId: PromotionId;
  /** At least one. */
  readonly facts: readonly Fact[];
  /** Best first; at least one. */
  readonly remedies: readonly Remedy[];
}

export interface TimeBudget {
  readonly lastProgressAtMs: InstantMs;
  /** By the stall clock: since the later of the last progress and the last entry into `in_progress`. */
  readonly sinceProgressMs: number;
  readonly stuckAfterMs: number;
  /** When it counts as stalled, for the alert as well; null unless `in_progress`. */
  readonly stallsAtMs: InstantMs | null;
  /** When the objective of 30 minutes is broken; null unless `in_progress`. */
  readonly sloAtMs: InstantMs | null;
}

export interface Diagnosis {
  readonly promotionId: PromotionId;
  readonly environment: string;
  readonly nowMs: InstantMs;
  readonly verdict: Verdict;
  /** One sentence for people. */
  readonly summary: string;
  /** Of `waiting`: when it ends by itself at the latest. */
  readonly waitsUntilMs: InstantMs | null;
  /** Root first. Empty for a healthy promotion. */
  readonly causes: readonly Cause[];
  /** What was looked at and found well; told when no cause was found for a stall. */
  readonly ruledOut: readonly Fact[];
  readonly timeBudget: TimeBudget;
}
