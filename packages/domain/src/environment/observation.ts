/**
 * What targets report between promotions. A target that reports another digest than the release that was last verified there
 * has drifted: told once when it begins and once when it ends. A target that cannot be looked at has not: nobody knows.
 */
import type { EventDraft } from '../audit/event.ts';
import type { Actor } from '../identity/actor.ts';
import { canonicalJson, type Json } from '../values/canonical-json.ts';
import type { Digest } from '../values/digest.ts';
import type { InstantMs } from '../values/instant.ts';
import { toStorableText } from '../values/storable-text.ts';
import { breakAfter, isOtherBreak, type TargetBreak } from './soundness.ts';
import { combinedDigest, componentsOf } from './target-components.ts';
import type { TargetDefinition } from './target-definition.ts';

/** What a component is known to run: which digest, since when, and where a promotion has seen it do so. */
export interface VerifiedComponent {
  readonly component: string;
  readonly digest: Digest;
  readonly verifiedAtMs: InstantMs;
  /** All of the definition with which it was verified. */
  readonly targets: readonly TargetDefinition[];
}

/** One look at one target, as it was answered. */
export type TargetSight =
  /** `digest`: null when nothing whole runs there. */
  | {
      readonly outcome: 'seen';
      readonly digest: Digest | null;
      readonly isHealthy: boolean;
      readonly message: string;
    }
  | { readonly outcome: 'unseen'; readonly code: string; readonly message: string };

export interface TargetLookAt {
  /** As it was looked at. */
  readonly target: TargetDefinition;
  readonly sight: TargetSight;
}

/** What is kept of a target: the last look, and the last one that saw something. */
export interface TargetObservation {
  readonly environment: string;
  readonly target: string;
  readonly lookedAtMs: InstantMs;
  /** The server that looked. */
  readonly lookedBy: string;
  /** Why the last look saw nothing; empty when it did. */
  readonly code: string;
  readonly message: string;
  /** Since when no look saw anything; null: the last one did. */
  readonly unseenSinceMs: InstantMs | null;
  /** By the last look that saw something. */
  readonly seenAtMs: InstantMs | null;
  readonly digest: Digest | null;
  readonly isHealthy: boolean | null;
  /** What was promised there at the last look; null: nothing was verified there. */
  readonly promised: Digest | null;
  readonly driftSinceMs: InstantMs | null;
  /** The last time that it was not sound, for soaks; null: it never was. */
  readonly lastBreak: TargetBreak | null;
}

/** The look at all targets of one environment: when it is next due, and who may record the present one. */
export interface ObservationRound {
  readonly environment: string;
  /** Raised whenever it is claimed: what an earlier claim has found is late. */
  readonly number: number;
  readonly dueAtMs: InstantMs;
  /** Of the last one, or when the environment was applied; null while one is under way. */
  readonly endedAtMs: InstantMs | null;
}

/** Looks of many environments that were applied together spread over so much of the interval. */
const JITTER = 0.2;
/** A round that takes longer than its looks may is claimed by another server so long after. */
const CLAIM_SLACK_MS = 10_000;

/** So long after it was applied an environment is looked at for the first time, unless `observe.every` is shorter. */
export const FIRST_LOOK_AFTER_MS = 5 * 60_000;

/** Of an environment that is applied now. */
export function firstRound(environment: string, nowMs: InstantMs): ObservationRound {
  return { environment, number: 0, dueAtMs: nowMs + FIRST_LOOK_AFTER_MS, endedAtMs: nowMs };
}

/** `everyMs`, a tenth more or less. */
export function nextLookAt(nowMs: InstantMs, everyMs: number, jitter: number): InstantMs {
  return nowMs + Math.round(everyMs * (1 - JITTER / 2 + JITTER * jitter));
}

/** As long as `nextLookAt` waits at most: by it a shorter interval that was set meanwhile counts at once. */
export function longestPauseMs(everyMs: number): number {
  return Math.round(everyMs * (1 + JITTER / 2));
}

export interface RoundSituation {
  readonly nowMs: InstantMs;
  readonly everyMs: number;
  /** Something drifts there, and a release was verified since that was seen. */
  readonly isCured: boolean;
}

/** The SQL twin is `observations_due`. */
export function isRoundDue({ dueAtMs, endedAtMs }: ObservationRound, situation: RoundSituation): boolean {
  const { nowMs, everyMs, isCured } = situation;
  if (dueAtMs <= nowMs) return true;
  return endedAtMs !== null && (isCured || endedAtMs + longestPauseMs(everyMs) <= nowMs);
}

export interface RoundBounds {
  readonly targetCount: number;
  /** Targets that are looked at together. */
  readonly atOnce: number;
  /** Of each look. */
  readonly timeoutMs: number;
}

/**
 * A lock that was acquired so long before a round was claimed had been committed by then, for no transaction lasts as long:
 * whether it was still held is in the claim.
 */
export const LOCK_COMMIT_MS_MAX = 60_000;

/** A target that ignores its time-out is given up so long after it. */
export const LOOK_GRACE_MS = 1_000;

/** Within it every look of the round has ended. */
export function roundDeadlineMs({ targetCount, atOnce, timeoutMs }: RoundBounds): number {
  return Math.ceil(targetCount / atOnce) * (timeoutMs + LOOK_GRACE_MS);
}

/** Should whoever claimed it die, the next claim looks again. */
export function claimRound(round: ObservationRound, bounds: RoundBounds, nowMs: InstantMs): ObservationRound {
  const dueAtMs = nowMs + roundDeadlineMs(bounds) + CLAIM_SLACK_MS;
  return { ...round, number: round.number + 1, dueAtMs, endedAtMs: null };
}

/** Names of exclusive locks that keep a target from being looked at, or what was seen of it from counting. */
export function isTaken(environment: string, target: TargetDefinition, resources: readonly string[]): boolean {
  const place = `environment:${environment}`;
  const own = new Set([place, ...componentsOf(target).map((component) => `${place}/${component}`)]);
  return resources.some((one) => own.has(one));
}

/** What was last verified at the target, of all its components; null: nothing was, or it is another place by now. */
export function verifiedAt(
  target: TargetDefinition,
  verified: readonly VerifiedComponent[],
): Pick<VerifiedComponent, 'digest' | 'verifiedAtMs'> | null {
  const names = componentsOf(target);
  const parts = names.flatMap(
    (name) =>
      verified.find((one) => one.component === name && one.targets.some((known) => isSameTarget(known, target))) ?? [],
  );
  if (parts.length < names.length) return null;
  const digest = combinedDigest(parts.map(({ component: name, digest: own }) => ({ name, digest: own })));
  return { digest, verifiedAtMs: Math.max(...parts.map((one) => one.verifiedAtMs)) };
}

/** How it is brought there, how it is known to be healthy and how its host is logged in to changes nothing of where it is. */
const NOT_OF_THE_PLACE = new Set(['health', 'keepCount', 'deploy', 'rollback', 'key', 'hostKey', 'knownHosts']);

function isSameTarget(one: TargetDefinition, other: TargetDefinition): boolean {
  return one.name === other.name && placeOf(one) === placeOf(other);
}

function placeOf(target: TargetDefinition): string {
  const place = JSON.stringify(target, (key, value: unknown) => (NOT_OF_THE_PLACE.has(key) ? undefined : value));
  // What was JSON a moment ago.
  return canonicalJson(JSON.parse(place) as Json);
}

export interface LookContext {
  readonly environment: string;
  readonly nowMs: InstantMs;
  readonly actor: Actor;
  /** The server that looked. */
  readonly by: string;
  /** Of the newest definition. */
  readonly targets: readonly TargetDefinition[];
  readonly verified: readonly VerifiedComponent[];
  /** What is kept so far. */
  readonly known: readonly TargetObservation[];
  /** Exclusive locks that were held there at any time since the round began. */
  readonly takenResources: readonly string[];
}

export interface RecordedLooks {
  readonly kept: readonly TargetObservation[];
  /** Targets that are there no more. */
  readonly dropped: readonly string[];
  readonly events: readonly EventDraft[];
  /** A break began or ended: who soaks there has to look again. */
  readonly changesSoaks: boolean;
}

/** What becomes of a round's looks. One at a target that was changed meanwhile, by a promotion or its definition, tells nothing. */
export function recordLooks(looks: readonly TargetLookAt[], context: LookContext): RecordedLooks {
  const kept: TargetObservation[] = [];
  const events: EventDraft[] = [];
  let changesSoaks = false;
  for (const look of looks) {
    const { target } = look;
    const isThere = context.targets.some((one) => isSameTarget(one, target));
    if (!isThere || isTaken(context.environment, target, context.takenResources)) continue;
    const before = context.known.find((one) => one.target === target.name) ?? null;
    const recorded = recordLook(before, look, context);
    kept.push(recorded.observation);
    events.push(...recorded.events);
    changesSoaks ||= isOtherBreak(before?.lastBreak ?? null, recorded.observation.lastBreak);
  }
  const gone = context.known.filter(({ target }) => context.targets.every((one) => one.name !== target));
  events.push(...gone.filter(isDrifting).map((one) => endOf(one, 'target_removed', context)));
  changesSoaks ||= gone.some(({ lastBreak }) => lastBreak !== null);
  return { kept, dropped: gone.map(({ target }) => target), events, changesSoaks };
}

export function isDrifting({ driftSinceMs }: Pick<TargetObservation, 'driftSinceMs'>): boolean {
  return driftSinceMs !== null;
}

/** Of one target. A drift lasts until the target is seen to run what is promised, or until something else is. */
function recordLook(
  before: TargetObservation | null,
  { target, sight }: TargetLookAt,
  context: LookContext,
): { readonly observation: TargetObservation; readonly events: readonly EventDraft[] } {
  const { environment, nowMs, by: lookedBy } = context;
  const verified = verifiedAt(target, context.verified);
  const promised = verified?.digest ?? null;
  const last = { environment, target: target.name, lookedAtMs: nowMs, lookedBy, promised };
  const message = toStorableText(sight.message);
  const seen =
    sight.outcome === 'seen'
      ? { code: '', message, unseenSinceMs: null, seenAtMs: nowMs, digest: sight.digest, isHealthy: sight.isHealthy }
      : {
          code: sight.code,
          message,
          unseenSinceMs: before?.unseenSinceMs ?? nowMs,
          seenAtMs: before?.seenAtMs ?? null,
          digest: before?.digest ?? null,
          isHealthy: before?.isHealthy ?? null,
        };
  const ending = before && endingOf(before, { verified, sight });
  const lasts = before !== null && ending === null ? before.driftSinceMs : null;
  const isOther = sight.outcome === 'seen' && promised !== null && sight.digest !== promised;
  const lastBreak = breakAfter({ before, components: componentsOf(target), verified, sight, nowMs });
  const observation = { ...last, ...seen, driftSinceMs: lasts ?? (isOther ? nowMs : null), lastBreak };
  const events = before && ending ? [endOf(before, ending, context)] : [];
  if (isOther && lasts === null) events.push(beginningOf(observation, context));
  return { observation, events };
}

export const DRIFT_ENDINGS = ['as_promised', 'verified', 'nothing_promised', 'target_removed'] as const;
export type DriftEnding = (typeof DRIFT_ENDINGS)[number];

/** `verified`: a promotion has seen the promised digest there since. Null: the drift lasts, or there was none. */
function endingOf(
  before: TargetObservation,
  { verified, sight }: { readonly verified: ReturnType<typeof verifiedAt>; readonly sight: TargetSight },
): DriftEnding | null {
  if (!isDrifting(before)) return null;
  if (verified === null) return 'nothing_promised';
  if (sight.outcome === 'seen' && sight.digest === verified.digest) return 'as_promised';
  return verified.verifiedAtMs > (before.seenAtMs ?? 0) ? 'verified' : null;
}

function beginningOf(observation: TargetObservation, { actor, nowMs: atMs }: LookContext): EventDraft {
  const { environment, target, promised, digest, message } = observation;
  const data = { target, promised, seen: digest, message };
  return { type: 'drift.began', actor, atMs, promotionId: null, subject: environment, data };
}

function endOf(before: TargetObservation, reason: DriftEnding, { actor, nowMs: atMs }: LookContext): EventDraft {
  const { environment, target, driftSinceMs } = before;
  const data = { target, reason, durationMs: atMs - (driftSinceMs ?? atMs) };
  return { type: 'drift.ended', actor, atMs, promotionId: null, subject: environment, data };
}
