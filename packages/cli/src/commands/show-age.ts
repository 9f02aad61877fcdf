/** Times for people: how long ago, how long until. JSON never gets these. */
import { formatDuration } from '@stella/domain/client';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `14m`, `3h12m`, `2d4h`: the two largest units, so that it stays short. */
export function shortDuration(durationMs: number): string {
  const value = Math.abs(durationMs);
  if (value < MINUTE) return formatDuration(Math.floor(value / SECOND) * SECOND);
  if (value < HOUR) return formatDuration(Math.floor(value / SECOND) * SECOND);
  if (value < DAY) return formatDuration(Math.floor(value / MINUTE) * MINUTE);
  return formatDuration(Math.floor(value / HOUR) * HOUR);
}

/** `14m ago`, `in 16m`; `-` for null. */
export function relativeTo(nowMs: number, instant: string | null): string {
  if (instant === null) return '-';
  const differenceMs = Date.parse(instant) - nowMs;
  return differenceMs > 0 ? `in ${shortDuration(differenceMs)}` : `${shortDuration(differenceMs)} ago`;
}

/** `14m`; `-` for null. */
export function ageOf(nowMs: number, instant: string | null): string {
  return instant === null ? '-' : shortDuration(Math.max(0, nowMs - Date.parse(instant)));
}
