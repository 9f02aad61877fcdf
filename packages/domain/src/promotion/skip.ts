/**
 * A skip: two persons step around one gate of one promotion in an emergency. One asks, another one approves, and it
 * counts until it expires. What it counts for is decided in `decide/skips.ts`.
 */
import type { Digest } from '../values/digest.ts';
import type { GateRunId, PersonId, ReleaseId, SkipId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type { RoleBinding } from '../identity/authorize.ts';

export const SKIP_STATES = ['requested', 'approved', 'rejected', 'lapsed', 'used'] as const;
export type SkipState = (typeof SKIP_STATES)[number];

/** Which state may follow which; the last three never change. */
export const SKIP_TRANSITIONS: Readonly<Record<SkipState, readonly SkipState[]>> = {
  requested: ['approved', 'rejected', 'lapsed'],
  approved: ['rejected', 'lapsed', 'used'],
  rejected: [],
  lapsed: [],
  used: [],
};

export interface Skip {
  readonly id: SkipId;
  /** The run that it steps around; a later round of the gate needs another skip. */
  readonly gateRunId: GateRunId;
  readonly gate: string;
  readonly requestedBy: PersonId;
  readonly requesterSubject: string;
  readonly reason: string;
  readonly requestedAtMs: InstantMs;
  /** What it is bound to, as an approval is: base and definition at the moment of the request. */
  readonly baseReleaseId: ReleaseId | null;
  readonly definitionHash: Digest;
  readonly state: SkipState;
  /** Who approved it, or rejected it; null while nobody did. A skip that lapsed later keeps who had approved it. */
  readonly decidedBy: PersonId | null;
  readonly deciderSubject: string | null;
  readonly decisionReason: string;
  readonly decidedAtMs: InstantMs | null;
  /** Set by the approval; the skip counts before this moment only. */
  readonly expiresAtMs: InstantMs | null;
  /** When it was rejected, lapsed or was used. */
  readonly endedAtMs: InstantMs | null;
  /** Why it lapsed. */
  readonly message: string;
  /** The decider's bindings now, not then: rights are checked again when the intent is written (safety S8, S9). */
  readonly deciderBindingsNow: readonly RoleBinding[];
}

/** Somebody may still decide about it, or a deploy may still use it. At most one of a gate is open. */
export function isOpenSkip(skip: Pick<Skip, 'state'>): boolean {
  return SKIP_TRANSITIONS[skip.state].length > 0;
}
