/**
 * Whether what was verified at a target still runs there, and well, by the looks between promotions. What a soak counts is
 * broken when a look finds another digest than what is promised, or what is promised not healthy; it is sound again by a
 * look that finds it so, or by a release that is verified there. A look that sees nothing changes nothing, and neither
 * does a look that nobody makes (`observe.mode off`): a break lasts until one of the two.
 */
import type { ComponentStatus } from '../promotion/promotion.ts';
import type { Digest } from '../values/digest.ts';
import { type InstantMs, toRfc3339 } from '../values/instant.ts';
import type { TargetSight, VerifiedComponent } from './observation.ts';

/** The last time that looks found a target unsound. */
export interface TargetBreak {
  /** That the target carried then. */
  readonly components: readonly string[];
  /** When it was found. */
  readonly sinceMs: InstantMs;
  /**
   * Null while it lasts, also where nothing is promised any more, for nobody saw it sound. By a look that found the target
   * sound: when it did; by a verified release: when it was last seen to be unsound, for what counts afterwards is that release.
   */
  readonly untilMs: InstantMs | null;
}

/** A break with what the target was last seen to run, as a soak and the rules of safety read it. */
export interface ObservedBreak extends TargetBreak {
  readonly environment: string;
  readonly target: string;
  /** By the last look that saw something; never before `sinceMs` while the break lasts. */
  readonly seenAtMs: InstantMs | null;
  /** Null: nothing whole. */
  readonly digest: Digest | null;
  readonly promised: Digest | null;
}

/** The last look at a target. */
interface LastSight {
  readonly seenAtMs: InstantMs | null;
  /** Null: nothing was promised there. */
  readonly promised: Digest | null;
}

export interface LookAtBreak {
  /** The break that is known so far, and the last look; null: it was never looked at. */
  readonly before: (LastSight & { readonly lastBreak: TargetBreak | null }) | null;
  readonly components: readonly string[];
  /** Null: nothing was verified there. */
  readonly verified: Pick<VerifiedComponent, 'digest' | 'verifiedAtMs'> | null;
  readonly sight: TargetSight;
  readonly nowMs: InstantMs;
}

/** What is known of breaks after a look. */
export function breakAfter(look: LookAtBreak): TargetBreak | null {
  const { components, verified, sight, nowMs } = look;
  const known = withEnd(look);
  const isUnsound = verified !== null && sight.outcome === 'seen' && !isSound(verified.digest, sight);
  const isOver = known === null || known.untilMs !== null;
  return isUnsound && isOver ? { components, sinceMs: nowMs, untilMs: null } : known;
}

function withEnd({ before, verified, sight, nowMs }: LookAtBreak): TargetBreak | null {
  const known = before?.lastBreak ?? null;
  if (known === null || known.untilMs !== null || verified === null) return known;
  const lastMs = lastUnsoundMs(before, known);
  if (verified.verifiedAtMs > lastMs) return { ...known, untilMs: lastMs };
  return sight.outcome === 'seen' && isSound(verified.digest, sight) ? { ...known, untilMs: nowMs } : known;
}

/**
 * When a target whose break lasts was surely seen unsound. What is seen while nothing is promised is neither; and a break
 * that a look found after a release was verified is another one (`breakAfter`).
 */
function lastUnsoundMs(last: LastSight | null, { sinceMs }: Pick<TargetBreak, 'sinceMs'>): InstantMs {
  return last === null || last.promised === null ? sinceMs : (last.seenAtMs ?? sinceMs);
}

function isSound(promised: Digest, { digest, isHealthy }: Extract<TargetSight, { outcome: 'seen' }>): boolean {
  return isHealthy && digest === promised;
}

/** Up to when it surely lasted: its end, or the last time that it was seen. */
export function lastsUntilMs(one: ObservedBreak): InstantMs {
  return one.untilMs ?? lastUnsoundMs(one, one);
}

/** Soaks that counted by one count otherwise by the other. */
export function isOtherBreak(one: TargetBreak | null, other: TargetBreak | null): boolean {
  return one?.sinceMs !== other?.sinceMs || one?.untilMs !== other?.untilMs;
}

/** It is about some of these components. */
export function concerns({ components }: Pick<TargetBreak, 'components'>, names: readonly string[]): boolean {
  return components.some((one) => names.includes(one));
}

/**
 * Up to when the target was not sound; null: it is not. Also by what was verified after it was last seen: until the next
 * look says so, the row does not.
 */
function brokenUntilMs(one: ObservedBreak, running: readonly ComponentStatus[]): InstantMs | null {
  const { components, untilMs } = one;
  if (untilMs !== null) return untilMs;
  const lastMs = lastUnsoundMs(one, one);
  const verifiedAtMs = running
    .filter(({ component }) => components.includes(component))
    .map(({ releasedAtMs }) => releasedAtMs ?? 0);
  return Math.max(0, ...verifiedAtMs) > lastMs ? lastMs : null;
}

/** Breaks that concern these components, each with its end (`brokenUntilMs`). */
export function endsOfBreaks(
  {
    breaks,
    components,
  }: { readonly breaks: readonly ObservedBreak[]; readonly components: readonly ComponentStatus[] },
  names: readonly string[],
): readonly { readonly one: ObservedBreak; readonly untilMs: InstantMs | null }[] {
  return breaks.filter((one) => concerns(one, names)).map((one) => ({ one, untilMs: brokenUntilMs(one, components) }));
}

export function hasDrifted({ digest, promised }: Pick<ObservedBreak, 'digest' | 'promised'>): boolean {
  return digest !== promised;
}

/** `target web-1 runs nothing whole instead of sha256:…, since 2026-…`, or that it is not healthy. */
export function breakWords(one: ObservedBreak): string {
  const { target, digest, promised, sinceMs } = one;
  const what = hasDrifted(one)
    ? `runs ${digest ?? 'nothing whole'} instead of ${promised ?? 'what was verified'}`
    : 'is not healthy';
  return `target ${target} ${what}, since ${toRfc3339(sinceMs)}`;
}
