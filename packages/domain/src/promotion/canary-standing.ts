/**
 * How the soak of a canary stands: since when it soaks, what its judge has said, when it is asked next. Read from the
 * attempts alone, so that the rule, the diagnosis and the status say the same.
 */
import type { CanaryStrategy } from '../environment/deploy-strategy.ts';
import type { InstantMs } from '../values/instant.ts';
import type { Attempt } from './promotion.ts';

/** What its attempts are about: there is one canary per promotion. */
export const CANARY = 'canary';

export type CanaryVerdict = 'open' | 'passed' | 'failed' | 'unanswered';

export interface CanaryStanding {
  /** When every target of it was verified first. */
  readonly sinceMs: InstantMs;
  readonly soaksUntilMs: InstantMs;
  /** `failed`: the judge said no too often. `unanswered`: it was too often not there, and never said no. */
  readonly verdict: CanaryVerdict;
  /** A question is under way. */
  readonly isAsking: boolean;
  readonly askedCount: number;
  readonly failureCount: number;
  /** When it is asked next, while nothing is under way and nothing is decided. */
  readonly nextAtMs: InstantMs;
  /** The last that was answered, or not; null: none yet. */
  readonly last: Attempt | null;
}

/** Null: its targets have not all been verified yet. `sinceMs` of the argument: the start of this deploy. */
export function canaryStanding(
  strategy: CanaryStrategy,
  attempts: readonly Attempt[],
  canaries: readonly string[],
  deploySinceMs: InstantMs,
): CanaryStanding | null {
  const own = attempts.filter((attempt) => attempt.startedAtMs >= deploySinceMs);
  const seenAtMs = canaries.map((name) => firstVerifiedAtMs(own, name));
  if (canaries.length === 0 || seenAtMs.some((atMs) => atMs === null)) return null;
  const sinceMs = Math.max(...seenAtMs.map((atMs) => atMs ?? 0));
  const questions = own.filter((attempt) => attempt.purpose === 'judge' && attempt.startedAtMs >= sinceMs);
  const answered = questions.filter((attempt) => attempt.result !== null);
  const failures = answered.filter((attempt) => attempt.result?.outcome !== 'passed');
  const last = answered.at(-1) ?? null;
  const soaksUntilMs = sinceMs + strategy.soakMs;
  return {
    sinceMs,
    soaksUntilMs,
    verdict: verdictOf(strategy, { failures, last, soaksUntilMs }),
    isAsking: answered.length < questions.length,
    askedCount: questions.length,
    failureCount: failures.length,
    nextAtMs: nextAtMs(strategy, { sinceMs, soaksUntilMs, last }),
    last,
  };
}

function firstVerifiedAtMs(attempts: readonly Attempt[], name: string): InstantMs | null {
  const good = attempts.find(
    ({ purpose, subject, result }) =>
      purpose === 'batch_verify' && subject === name && result?.outcome === 'succeeded' && result.digest !== null,
  );
  return good?.result?.endedAtMs ?? null;
}

/** The last word counts: it is asked once more when the soak is over, and that answer has to be a yes. */
function verdictOf(
  { judge }: CanaryStrategy,
  facts: { readonly failures: readonly Attempt[]; readonly last: Attempt | null; readonly soaksUntilMs: InstantMs },
): CanaryVerdict {
  const { failures, last, soaksUntilMs } = facts;
  if (failures.length > judge.failuresAllowed) {
    return failures.some((attempt) => attempt.result?.outcome === 'failed') ? 'failed' : 'unanswered';
  }
  const isLastWord = last?.result?.outcome === 'passed' && last.startedAtMs >= soaksUntilMs;
  return isLastWord ? 'passed' : 'open';
}

function nextAtMs(
  { judge }: CanaryStrategy,
  facts: { readonly sinceMs: InstantMs; readonly soaksUntilMs: InstantMs; readonly last: Attempt | null },
): InstantMs {
  const { sinceMs, soaksUntilMs, last } = facts;
  const afterMs = (last?.result?.endedAtMs ?? sinceMs) + judge.intervalMs;
  const isBeforeEnd = (last?.startedAtMs ?? sinceMs) < soaksUntilMs;
  return isBeforeEnd ? Math.min(afterMs, soaksUntilMs) : afterMs;
}
