/** What is frozen, as the API shows it. */
import type { Answer } from '@stella/contract';
import { type EnvironmentStatus, freezeNow, toRfc3339 } from '@stella/domain';
import { presentInstant } from './values.ts';

/** Null: nothing is frozen at that moment. */
export function presentFreeze(status: EnvironmentStatus, nowMs: number): Answer<'getEnvironment'>['freeze'] {
  const found = freezeNow(status, nowMs);
  if (!found) return null;
  const { reason, by, atMs, untilMs } = found;
  return { reason, by, at: toRfc3339(atMs), until: presentInstant(untilMs) };
}
