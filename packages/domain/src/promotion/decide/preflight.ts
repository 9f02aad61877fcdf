/**
 * Step 3, short: every target is probed once more, and the right to deploy is asked in the transaction that writes the
 * deploy intents. It runs under the locks; with `locks.mode optimistic` it runs before them, and then the locks are taken
 * in that same transaction, unless the environment was changed meanwhile or is not free: then the promotion joins the
 * queue, and its next preflight runs under the locks.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { type Draft, endPromotion, moveToStep, openAttempt, requireGuard, stepRun, updatePromotion } from './draft.ts';
import { endOvertaken, isOvertaken } from './overtaken.ts';
import { beginDeploy } from './deploy.ts';
import { reopenGates } from './obstacles.ts';
import { exhaustedQuota } from './quotas.ts';
import { isItsTurn, takeLocks } from './take-locks.ts';
import { isStopped, stepBackToLocks } from './stop.ts';
import { targetNames } from './target-operations.ts';
import { roomFor } from './target-round.ts';
import type { Attempt } from '../promotion.ts';
import { baseIdOf } from '../scope.ts';
import type { EnvironmentGuard } from '../snapshot.ts';

/** All probes of a preflight together; a probe's own time-out is never longer. */
export const PREFLIGHT_MAX_MS = 30_000;

/** With the locks just taken. */
export function beginPreflight(draft: Draft): void {
  startTimeUnderLock(draft);
  openProbes(draft, targetNames(draft), 0);
}

function startTimeUnderLock(draft: Draft): void {
  const { nowMs } = draft.context;
  updatePromotion(draft, { deployDeadlineAtMs: nowMs + draft.promotion.definition.deployDeadlineMs });
}

function openProbes(draft: Draft, names: readonly string[], openCount: number): void {
  const { nowMs } = draft.context;
  const leftMs = Math.max(1, (stepRun(draft, 'preflight').startedAtMs ?? nowMs) + PREFLIGHT_MAX_MS - nowMs);
  const timeoutMs = Math.min(draft.snapshot.settings['probe.timeout'], leftMs);
  for (const subject of names.slice(0, roomFor(draft, openCount))) {
    openAttempt(draft, { purpose: 'preflight_target', subject, timeoutMs });
  }
}

/** The latest probe of each target in this preflight; null while one is under way, or still to be made. */
function endedProbes(draft: Draft): Attempt[] | null {
  const sinceMs = stepRun(draft, 'preflight').startedAtMs ?? 0;
  const latest = new Map<string, Attempt>();
  for (const attempt of draft.attempts) {
    if (attempt.purpose === 'preflight_target' && attempt.startedAtMs >= sinceMs) latest.set(attempt.subject, attempt);
  }
  const names = targetNames(draft);
  const attempts = names.flatMap((name) => latest.get(name) ?? []);
  const openCount = attempts.filter((attempt) => attempt.result === null).length;
  const missing = names.filter((name) => !latest.has(name));
  openProbes(draft, missing, openCount);
  return missing.length > 0 || openCount > 0 ? null : attempts;
}

export function decidePreflight(draft: Draft): void {
  if (draft.locks.length === 0 && draft.promotion.preflightRevision === null) {
    beginWithoutLocks(draft);
    return;
  }
  const attempts = endedProbes(draft);
  if (!attempts) return;
  if (isStopped(draft)) {
    stepBackToLocks(draft);
    return;
  }
  const broken = attempts.filter((attempt) => attempt.result?.outcome !== 'succeeded');
  if (broken.length > 0) {
    const message = broken.map((attempt) => `${attempt.subject}: ${attempt.result?.message ?? ''}`).join('; ');
    endPromotion(draft, 'failed', { code: 'preflight.failed', message });
    return;
  }
  const guard = requireGuard(draft);
  if (!guard) return;
  if (isOvertaken(draft)) {
    endOvertaken(draft);
    return;
  }
  const isUnchanged = isAsItBegan(draft);
  if (reopenGates(draft)) return;
  // Once more: the guard has read the environment anew.
  if (isStopped(draft)) {
    stepBackToLocks(draft);
    return;
  }
  if (draft.promotion.preflightRevision !== null) {
    goOnWithoutLocks(draft, guard, { isUnchanged, targetCount: attempts.length });
    return;
  }
  moveToStep(draft, 'deploy', { state: 'succeeded', message: `${attempts.length} targets answered` });
  beginDeploy(draft);
}

/** What would send it back to its gates is looked at first; afterwards it is bound to what the environment runs now. */
function beginWithoutLocks(draft: Draft): void {
  if (isOvertaken(draft)) {
    endOvertaken(draft);
    return;
  }
  if (reopenGates(draft)) return;
  updatePromotion(draft, { preflightRevision: draft.environment.policyRevision });
  openProbes(draft, targetNames(draft), 0);
}

/** Neither the definition nor the release of the environment has changed since its preflight without locks began. */
function isAsItBegan({ promotion, environment, snapshot }: Draft): boolean {
  const isSame =
    promotion.preflightRevision === environment.policyRevision &&
    promotion.baseReleaseId === baseIdOf(environment, snapshot.release);
  return isSame || isPlanted('preflight.change_ignored');
}

/** The locks are taken now or waited for: the rule of `acquire_locks` runs next, in the same transaction. */
function goOnWithoutLocks(
  draft: Draft,
  guard: EnvironmentGuard,
  { isUnchanged, targetCount }: { readonly isUnchanged: boolean; readonly targetCount: number },
): void {
  const message = `${targetCount} targets answered${isUnchanged ? '' : ', but the environment was changed meanwhile'}`;
  moveToStep(draft, 'acquire_locks', { state: 'succeeded', message: `${message}; no lock was held` });
  updatePromotion(draft, { preflightRevision: null, ticket: guard.ticket });
  if (!isUnchanged || !isItsTurn(draft, guard) || exhaustedQuota(draft, guard)) return;
  const count = takeLocks(draft, guard);
  startTimeUnderLock(draft);
  moveToStep(draft, 'deploy', { state: 'succeeded', message: `${count} locks taken` });
  beginDeploy(draft);
}
