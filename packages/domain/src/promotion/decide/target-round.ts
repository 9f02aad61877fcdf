/**
 * One operation at each of several targets, `limits.targetsAtOnce` of them at the same time. Deploy, verify and rollback
 * are rounds of this kind. A clear no, a wish to cancel or the deadline opens nothing further: what is under way ends
 * first, and then the round answers `bad`. Unclear outcomes are tried again when all others have ended.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { Attempt } from '../promotion.ts';
import type { InstantMs } from '../../values/instant.ts';
import { type Draft, openAttempt, requireGuard } from './draft.ts';
import { isStopped } from './stop.ts';
import { isPastDeadline, OPERATION_ATTEMPTS_MAX, remainingMs } from './target-operations.ts';

export type RoundPurpose = 'deploy' | 'batch_verify' | 'verify' | 'rollback' | 'rollback_verify';

export interface TargetRound {
  readonly purpose: RoundPurpose;
  readonly targets: readonly string[];
  /** Attempts that began earlier are of another round. */
  readonly sinceMs: InstantMs;
  /** Of an attempt that has ended. */
  readonly isGood: (attempt: Attempt) => boolean;
}

export type RoundStanding =
  | { readonly state: 'open' }
  /** The last attempts, one per target. */
  | { readonly state: 'good'; readonly attempts: readonly Attempt[] }
  /** Those that were not good; none, when it was stopped before that. */
  | { readonly state: 'bad'; readonly attempts: readonly Attempt[] };

const OPEN: RoundStanding = { state: 'open' };

/** These change what a target runs, and carry a fence of their own. */
function isOperation(purpose: RoundPurpose): purpose is 'deploy' | 'rollback' {
  return purpose === 'deploy' || purpose === 'rollback';
}

/** Looks at where the round stands, and opens what may be opened. */
export function goThrough(draft: Draft, round: TargetRound): RoundStanding {
  const tries = triesOf(draft, round);
  const latest = round.targets.flatMap((target) => tries.get(target)?.at(-1) ?? []);
  const openCount = latest.filter((attempt) => attempt.result === null).length;
  const missing = round.targets.filter((target) => !tries.has(target));
  const bad = latest.filter((attempt) => attempt.result !== null && !round.isGood(attempt));
  const isUnclear = (attempt: Attempt): boolean =>
    isRetryable(attempt, tries.get(attempt.subject)?.length ?? 0) && !isOver(draft, round);
  const isDone = missing.length === 0 && bad.length === 0;
  if (!isDone && (isOver(draft, round) || !bad.every(isUnclear))) {
    return openCount > 0 ? OPEN : { state: 'bad', attempts: bad };
  }
  if (openCount === 0 && isDone) return { state: 'good', attempts: latest };
  const isAgain = missing.length === 0 && openCount === 0;
  const due = isAgain ? bad.map((attempt) => attempt.subject) : missing;
  openSome(draft, round.purpose, due.slice(0, roomFor(draft, openCount)));
  return OPEN;
}

/** How many more may be under way beside `openCount`. */
export function roomFor(draft: Draft, openCount: number): number {
  return Math.max(0, draft.snapshot.settings['limits.targetsAtOnce'] - openCount);
}

/** By target, oldest first. One walk over the attempts: there may be thousands, and hundreds of targets. */
function triesOf({ attempts }: Draft, { purpose, sinceMs }: TargetRound): ReadonlyMap<string, readonly Attempt[]> {
  const tries = new Map<string, Attempt[]>();
  for (const attempt of attempts) {
    if (attempt.purpose !== purpose || attempt.startedAtMs < sinceMs) continue;
    const own = tries.get(attempt.subject);
    if (own) own.push(attempt);
    else tries.set(attempt.subject, [attempt]);
  }
  return tries;
}

function isRetryable({ result }: Attempt, tryCount: number): boolean {
  const isUnclear = result?.outcome === 'error' || result?.outcome === 'timeout';
  return isUnclear && tryCount < OPERATION_ATTEMPTS_MAX;
}

/** Nothing further is begun. A cancellation does not stop a rollback, which is what it asked for. */
function isOver(draft: Draft, { purpose }: TargetRound): boolean {
  const isBack = purpose === 'rollback' || purpose === 'rollback_verify';
  const isCancelled = draft.promotion.cancelRequestedAtMs !== null && !isBack;
  return isCancelled || isPastDeadline(draft) || (isOperation(purpose) && isStopped(draft));
}

/** Operations of one moment share the fence that was drawn for it. */
function openSome(draft: Draft, purpose: RoundPurpose, targets: readonly string[]): void {
  if (!isOperation(purpose)) {
    for (const subject of targets) openAttempt(draft, { purpose, subject, timeoutMs: remainingMs(draft) });
    return;
  }
  const guard = targets.length > 0 ? requireGuard(draft) : null;
  if (!guard) return;
  for (const subject of targets) {
    const held = isPlanted('fence.of_the_lock') ? draft.locks[0]?.fence : undefined;
    openAttempt(draft, { purpose, subject, fence: held ?? guard.fence, timeoutMs: remainingMs(draft) });
  }
}
