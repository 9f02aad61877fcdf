/** Times in a definition: the weekly times of a window gate, and freezes that are planned ahead. */
import {
  isKnownZone,
  isLocalTime,
  nearestOf,
  type PlannedFreeze,
  type WeeklyTimes,
  WEEKDAYS,
  type WindowGateDefinition,
} from '@stella/domain';
import type { MapReader, NumberRule } from './map-reader.ts';
import { DAY_MS, SECOND_MS } from './time-units.ts';

/** As of every gate with a deadline: a quarter. */
const DEADLINE: NumberRule = { standard: 7 * DAY_MS, min: SECOND_MS, max: 90 * DAY_MS };
const ALLOW_COUNT_MAX = 20;
/** Looked at whenever a window is; those that are over may be removed. */
export const FREEZE_COUNT_MAX = 50;
const REASON_LENGTH_MAX = 500;

const CLOCK = /^(?:[01]\d|2[0-3]):[0-5]\d$/;

type Own = Pick<WindowGateDefinition, 'zone' | 'allow' | 'deadlineMs'>;

export function readWindow(map: MapReader): Own {
  return {
    zone: map.text('zone', checkZone, 'UTC'),
    allow: map.maps('allow', { countMax: ALLOW_COUNT_MAX }).map(readTimes),
    deadlineMs: map.duration('deadline', DEADLINE),
  };
}

function readTimes(map: MapReader): WeeklyTimes {
  map.allow(['days', 'from', 'to']);
  const days = map.texts('days', checkDay, { countMax: WEEKDAYS.length }) ?? WEEKDAYS;
  if (days.length === 0) map.refuse('days', 'days: name at least one day, or leave the key out for all of them');
  const from = map.text('from', checkClock);
  const to = map.text('to', (value) => (value === '24:00' ? null : checkClock(value)));
  if (from !== '' && from === to)
    map.refuse('to', `to: no time lies from ${from} to ${to}; a whole day is 00:00 to 24:00`);
  // Refused ones are noted, and count for nothing.
  return { days: WEEKDAYS.filter((day) => days.includes(day)), from, to };
}

export function readFreeze(map: MapReader): PlannedFreeze {
  map.allow(['from', 'to', 'zone', 'reason']);
  const from = map.text('from', checkLocalTime);
  const to = map.text('to', checkLocalTime);
  // Texts of the same form: their order is the one of their times.
  if (from !== '' && to !== '' && to <= from) map.refuse('to', `to: ${to} is not after ${from}`);
  return { from, to, zone: map.text('zone', checkZone, 'UTC'), reason: map.text('reason', checkReason) };
}

export function checkZone(value: string): string | null {
  if (isKnownZone(value)) return null;
  const nearest = nearestOf(value, Intl.supportedValuesOf('timeZone'));
  const hint = nearest === null ? 'such as Europe/Berlin' : `did you mean "${nearest}"?`;
  return `"${value.slice(0, 80)}" is not a time zone of the IANA list, ${hint}`;
}

function checkDay(value: string): string | null {
  if (WEEKDAYS.some((day) => day === value)) return null;
  return `"${value.slice(0, 80)}" is not a day; expected one of ${WEEKDAYS.join(', ')}`;
}

function checkClock(value: string): string | null {
  return CLOCK.test(value) ? null : `"${value.slice(0, 80)}" is not a time of day, such as 09:00`;
}

function checkLocalTime(value: string): string | null {
  return isLocalTime(value) ? null : `"${value.slice(0, 80)}" is not a date and time, such as 2026-12-20T18:00`;
}

function checkReason(value: string): string | null {
  if (value.trim() === '') return 'a freeze needs a reason';
  return value.length <= REASON_LENGTH_MAX ? null : `longer than ${REASON_LENGTH_MAX} characters`;
}
