/**
 * Whether a window is open: within its weekly times, when it has any, and outside of every freeze of its environment.
 * Also until when, or from when on. Pure: the zone's rules come with the platform.
 */
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import { type InstantMs, toRfc3339 } from '../values/instant.ts';
import type { WindowGateDefinition, WeeklyTimes } from './environment-definition.ts';
import { WEEKDAYS } from './environment-definition.ts';
import { currentFreeze } from './freeze.ts';
import { instantOfDay, instantOfLocal, isKnownZone, localDateOf } from './zoned-time.ts';

/** Two weeks and a day: a weekly time that the clock skips once opens in the next week. */
const DAYS_AHEAD = 15;
/** Freezes and closed times that follow each other; more say nothing about a moment that is near. */
const LEAPS_MAX = 200;

export interface WindowStanding {
  readonly isOpen: boolean;
  /** When it closes, or opens; null: nobody knows, or not within two weeks. */
  readonly changesAtMs: InstantMs | null;
  /** When the freeze began that closes it now; null: no freeze does. */
  readonly frozenAtMs: InstantMs | null;
  /** Why it is closed, or until when it is open. */
  readonly message: string;
}

type Frozen = Pick<EnvironmentStatus, 'freeze' | 'plannedFreezes'>;

/** A zone that this platform does not know keeps it closed: errors close. */
export function lookAtWindow(gate: WindowGateDefinition, environment: Frozen, nowMs: InstantMs): WindowStanding {
  try {
    return standingOf(gate, environment, nowMs);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { isOpen: false, changesAtMs: null, frozenAtMs: null, message: `cannot be told: ${error.message}` };
  }
}

function standingOf(gate: WindowGateDefinition, environment: Frozen, nowMs: InstantMs): WindowStanding {
  const spans = freezeSpans(environment, nowMs);
  const frozen = spans.find((span) => isIn(span, nowMs));
  const times = spansAround(gate, nowMs);
  const allowed = times === null || times.some((span) => isIn(span, nowMs));
  if (!frozen && allowed) {
    const closesAtMs = closingOf(gate, spans, nowMs);
    const until = closesAtMs === null ? '' : ` until ${toRfc3339(closesAtMs)}`;
    return { isOpen: true, changesAtMs: closesAtMs, frozenAtMs: null, message: `open${until}` };
  }
  const opensAtMs = openingOf(gate, spans, nowMs);
  const by = frozen?.by ? ` by ${frozen.by}` : ' as planned';
  const why = frozen ? `frozen${by}: ${frozen.reason}` : `outside of its times (${gate.zone})`;
  const words = opensAtMs === null ? '' : `; opens ${toRfc3339(opensAtMs)}`;
  return {
    isOpen: false,
    changesAtMs: opensAtMs,
    frozenAtMs: frozen?.startMs ?? null,
    message: `${why}${words}`,
  };
}

interface Span {
  readonly startMs: InstantMs;
  /** Not part of it; null: without end. */
  readonly endMs: InstantMs | null;
}

interface FreezeSpan extends Span {
  readonly reason: string;
  /** Who froze; null: the definition plans it. */
  readonly by: string | null;
}

/** What is frozen at that moment; of several the one that lasts longest. */
export interface FreezeNow {
  readonly reason: string;
  /** Who froze; null: the definition plans it. */
  readonly by: string | null;
  readonly atMs: InstantMs;
  /** Null: until somebody unfreezes. */
  readonly untilMs: InstantMs | null;
}

/** Null: nothing is. A planned freeze in a zone that this platform does not know is not told here. */
export function freezeNow(environment: Frozen, nowMs: InstantMs): FreezeNow | null {
  const plannedFreezes = environment.plannedFreezes.filter(({ zone }) => isKnownZone(zone));
  const span = freezeSpans({ ...environment, plannedFreezes }, nowMs).find((one) => isIn(one, nowMs));
  return span ? { reason: span.reason, by: span.by, atMs: span.startMs, untilMs: span.endMs } : null;
}

function isIn({ startMs, endMs }: Span, atMs: InstantMs): boolean {
  return startMs <= atMs && (endMs === null || atMs < endMs);
}

function freezeSpans({ freeze, plannedFreezes }: Frozen, nowMs: InstantMs): FreezeSpan[] {
  const current = currentFreeze({ freeze }, nowMs);
  const own = current
    ? [{ startMs: Math.min(current.atMs, nowMs), endMs: current.untilMs, by: current.by, reason: current.reason }]
    : [];
  const planned = plannedFreezes.map(({ from, to, zone, reason }) => ({
    startMs: instantOfLocal(from, zone, 'first'),
    endMs: instantOfLocal(to, zone, 'second'),
    by: null,
    reason,
  }));
  // One that lasts longest is told first: nothing opens before its end.
  return [...own, ...planned].sort((a, b) => (b.endMs ?? Infinity) - (a.endMs ?? Infinity));
}

/** The weekly times that may hold the moment: of its date and of the one before, whose times may last past midnight. */
function spansAround({ allow, zone }: WindowGateDefinition, atMs: InstantMs): Span[] | null {
  if (allow.length === 0) return null;
  const date = localDateOf(atMs, zone);
  return [-1, 0].flatMap((days) => spansOf(allow, date.add({ days }), zone));
}

type LocalDate = ReturnType<typeof localDateOf>;

/** Dates of one list of times that are kept: a look ahead passes over half as many. */
const DATES_KEPT_MAX = 2 * DAYS_AHEAD;
/** Times are never changed once they are read, and what they are on a date is asked several times in each look. */
const spansKept = new WeakMap<readonly WeeklyTimes[], Map<string, readonly Span[]>>();

/** Those that begin on that date; none that the clock skips. */
function spansOf(allow: readonly WeeklyTimes[], date: LocalDate, zone: string): readonly Span[] {
  const known = spansKept.get(allow) ?? new Map<string, readonly Span[]>();
  const key = `${zone} ${date.year} ${date.month} ${date.day}`;
  const kept = known.get(key);
  if (kept) return kept;
  const spans = findSpans(allow, date, zone);
  if (known.size >= DATES_KEPT_MAX) known.clear();
  spansKept.set(allow, known.set(key, spans));
  return spans;
}

function findSpans(allow: readonly WeeklyTimes[], date: LocalDate, zone: string): readonly Span[] {
  return allow.flatMap(({ days, from, to }) => {
    // Monday is 1, as in the list of names it is 0.
    if (!days.some((day) => WEEKDAYS.indexOf(day) === date.dayOfWeek - 1)) return [];
    const startMs = instantOfDay(date, from, zone);
    const endMs = instantOfDay(to > from ? date : date.add({ days: 1 }), to, zone);
    return endMs > startMs ? [{ startMs, endMs }] : [];
  });
}

/** From an open moment: the first one that is closed. */
function closingOf(gate: WindowGateDefinition, freezes: readonly FreezeSpan[], nowMs: InstantMs): InstantMs | null {
  const nextFreeze = Math.min(...freezes.map((span) => span.startMs).filter((startMs) => startMs > nowMs));
  const timesEnd = endOfTimes(gate, nowMs) ?? Infinity;
  const closes = Math.min(nextFreeze, timesEnd);
  return Number.isFinite(closes) ? closes : null;
}

/** The end of the times that hold the moment, with those that follow without a pause; null: not within two weeks. */
function endOfTimes(gate: WindowGateDefinition, nowMs: InstantMs): InstantMs | null {
  let atMs = nowMs;
  for (let leap = 0; leap < LEAPS_MAX; leap += 1) {
    const moment = atMs;
    const spans = spansAround(gate, moment);
    if (spans === null) return null;
    const ends = spans.filter((span) => isIn(span, moment)).map((span) => span.endMs ?? moment);
    if (ends.length === 0) return atMs;
    atMs = Math.max(...ends);
    if (atMs > nowMs + DAYS_AHEAD * 86_400_000) return null;
  }
  return null;
}

/** From a closed moment: the first one that is open. */
function openingOf(gate: WindowGateDefinition, freezes: readonly FreezeSpan[], nowMs: InstantMs): InstantMs | null {
  let atMs = nowMs;
  for (let leap = 0; leap < LEAPS_MAX; leap += 1) {
    const moment = atMs;
    const frozen = freezes.find((span) => isIn(span, moment));
    if (frozen) {
      if (frozen.endMs === null) return null;
      atMs = frozen.endMs;
      continue;
    }
    const openMs = nextTimes(gate, moment);
    if (openMs === moment || openMs === null) return openMs;
    atMs = openMs;
  }
  return null;
}

/** The moment itself, when it lies within the weekly times. */
function nextTimes(gate: WindowGateDefinition, atMs: InstantMs): InstantMs | null {
  const around = spansAround(gate, atMs);
  if (around === null || around.some((span) => isIn(span, atMs))) return atMs;
  const date = localDateOf(atMs, gate.zone);
  for (let days = 0; days <= DAYS_AHEAD; days += 1) {
    const starts = spansOf(gate.allow, date.add({ days }), gate.zone)
      .map((span) => span.startMs)
      .filter((startMs) => startMs > atMs);
    if (starts.length > 0) return Math.min(...starts);
  }
  return null;
}
