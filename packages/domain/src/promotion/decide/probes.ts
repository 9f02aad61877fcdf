/** What precheck and preflight ask of targets and artifacts, and what has come of it. */
import type { InstantMs } from '../../values/instant.ts';
import type { Attempt, AttemptPurpose } from '../promotion.ts';
import type { Draft } from './draft.ts';

export interface Probe {
  readonly purpose: AttemptPurpose;
  readonly subject: string;
}

export interface ProbeStanding {
  /** The latest of each probe that was made, in the order of the probes. */
  readonly attempts: readonly Attempt[];
  /** Not made yet. */
  readonly missing: readonly Probe[];
}

/** One walk over the attempts: there may be thousands. Those that began before `sinceMs` are of another time. */
export function latestOf({ attempts }: Draft, probes: readonly Probe[], sinceMs: InstantMs = 0): ProbeStanding {
  const latest = new Map<string, Attempt>();
  for (const attempt of attempts) if (attempt.startedAtMs >= sinceMs) latest.set(keyOf(attempt), attempt);
  return {
    attempts: probes.flatMap((probe) => latest.get(keyOf(probe)) ?? []),
    missing: probes.filter((probe) => !latest.has(keyOf(probe))),
  };
}

/** It has ended, and not well. */
export function isBroken({ result }: Attempt): boolean {
  return result !== null && result.outcome !== 'succeeded';
}

function keyOf({ purpose, subject }: Probe): string {
  return `${purpose} ${subject}`;
}
