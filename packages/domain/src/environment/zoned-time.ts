/**
 * Local times of IANA zones as instants. The rules of zones come from the platform, the arithmetic from Temporal; nothing
 * here knows an offset. A time that the clock skips is the moment of the jump; one that comes twice is what the caller
 * says.
 */
import { Temporal } from 'temporal-polyfill';
import type { InstantMs } from '../values/instant.ts';

/** `YYYY-MM-DDTHH:MM`. */
const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;
/** A name, not an offset: `+02:00` knows no daylight saving, and is never meant. */
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

export const OCCURRENCES = ['first', 'second'] as const;
export type Occurrence = (typeof OCCURRENCES)[number];

/** The platform knows the zone. */
export function isKnownZone(zone: string): boolean {
  if (!ZONE_NAME.test(zone)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** `2026-12-20T18:00` and a day that the calendar has. */
export function isLocalTime(text: string): boolean {
  if (!LOCAL_TIME.test(text)) return false;
  try {
    Temporal.PlainDateTime.from(text, { overflow: 'reject' });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Throws `RangeError` for a zone that this platform does not know. */
export function instantOfLocal(text: string, zone: string, occurrence: Occurrence): InstantMs {
  return instantOf(Temporal.PlainDateTime.from(text), zone, occurrence);
}

/** The date in that zone. Throws `RangeError` for a zone that this platform does not know. */
export function localDateOf(atMs: InstantMs, zone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone).toPlainDate();
}

/** `time` is `HH:MM` of that date, or `24:00`: the beginning of the next. A time that comes twice is the first one. */
export function instantOfDay(date: Temporal.PlainDate, time: string, zone: string): InstantMs {
  const [day, clock] = time === '24:00' ? [date.add({ days: 1 }), '00:00'] : [date, time];
  return instantOf(day.toPlainDateTime(clock), zone, 'first');
}

function instantOf(local: Temporal.PlainDateTime, zone: string, occurrence: Occurrence): InstantMs {
  const earlier = local.toZonedDateTime(zone, { disambiguation: 'earlier' });
  const isSkipped = !earlier.toPlainDateTime().equals(local);
  if (!isSkipped && occurrence === 'first') return earlier.epochMilliseconds;
  const later = local.toZonedDateTime(zone, { disambiguation: 'later' });
  // Skipped: the two lie before and after the jump, and neither shows the wanted time.
  const jump = isSkipped ? earlier.getTimeZoneTransition('next') : null;
  return (jump ?? (occurrence === 'first' ? earlier : later)).epochMilliseconds;
}
