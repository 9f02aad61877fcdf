/** Durations as people write them (`90s`, `1h30m`, `2d`) and as the program keeps them: whole milliseconds. */
import { AppError } from '../errors/app-error.ts';

const UNIT_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
type Unit = keyof typeof UNIT_MS;
const PART = /(\d+)(ms|d|h|m|s)/gy;

/** No duration is longer than ten years: longer ones are slips of the pen. */
export const DURATION_MS_MAX = 3_650 * UNIT_MS.d;

/** `'1h30m'` → `5_400_000`. Units from large to small, each at most once. Throws `input.duration`. */
export function parseDuration(value: string): number {
  const refuse = (): never => {
    throw new AppError('input.duration', { details: { value: value.slice(0, 100) } });
  };
  if (value === '' || value.length > 40) refuse();
  let totalMs = 0;
  let lastUnitMs = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const match of value.matchAll(PART)) {
    const unitMs = UNIT_MS[match[2] as Unit];
    if (unitMs >= lastUnitMs) refuse();
    lastUnitMs = unitMs;
    totalMs += Number(match[1]) * unitMs;
    end = match.index + match[0].length;
  }
  if (end !== value.length || totalMs > DURATION_MS_MAX) refuse();
  return totalMs;
}

/** `5_400_000` → `'1h30m'`; the inverse of `parseDuration`. Negative and fractional values are rounded up to 0 or 1 ms. */
export function formatDuration(durationMs: number): string {
  let rest = Math.max(0, Math.ceil(durationMs));
  if (rest === 0) return '0s';
  let text = '';
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text;
}
