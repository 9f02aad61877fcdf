/**
 * Step 3, short: every target is probed and every artifact looked for once more, `limits.targetsAtOnce` at a time, so that
 * what broke since the precheck is named before anything is touched; and the right to deploy is asked in the transaction
 * that writes the deploy intents. It runs under the locks; with `locks.mode optimistic` it runs before them, and then the
 * locks are taken in that same transaction, unless the environment was changed meanwhile or is not free: then the
 * promotion joins the queue, and its next preflight runs under the locks.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { type Draft, endPromotion, moveToStep, openAttempt, requireGuard, stepRun, updatePromotion } from './draft.ts';
import { endOvertaken, isOvertaken } from './overtaken.ts';
import { beginDeploy } from './deploy.ts';
import { reopenGates } from './obstacles.ts';
import { exhaustedQuota } from './quotas.ts';
import { isItsTurn, takeLocks } from './take-locks.ts';
import { isStopped, stepBackToLocks } from './stop.ts';
import { isBroken, latestOf, type Probe, type ProbeStanding } from './probes.ts';
import { targetNames, wordsOf } from './target-operations.ts';
import { roomFor } from './target-round.ts';
import { baseIdOf } from '../scope.ts';
import type { EnvironmentGuard } from '../snapshot.ts';

/**
 * What is broken is known to be so after this time, and the lock is held no longer for the sake of naming more of it. While
 * all is well the preflight of many targets takes as long as their rounds do. A probe's own time-out is never longer.
 */
export const PREFLIGHT_MAX_MS = 30_000;

/** With the locks just taken. */
export function beginPreflight(draft: Draft): void {
  startTimeUnderLock(draft);
  openProbes(draft, probesOf(draft), 0);
}

function startTimeUnderLock(draft: Draft): void {
  const { nowMs } = draft.context;
  updatePromotion(draft, { deployDeadlineAtMs: nowMs + draft.promotion.definition.deployDeadlineMs });
}

function probesOf(draft: Draft): Probe[] {
  const { components } = draft.snapshot.release;
  return [
    ...components.map(({ name }) => ({ purpose: 'preflight_artifact' as const, subject: name })),
    ...targetNames(draft).map((name) => ({ purpose: 'preflight_target' as const, subject: name })),
  ];
}

function openProbes(draft: Draft, probes: readonly Probe[], openCount: number): void {
  const timeoutMs = Math.min(draft.snapshot.settings['probe.timeout'], PREFLIGHT_MAX_MS);
  for (const { purpose, subject } of probes.slice(0, roomFor(draft, openCount))) {
    openAttempt(draft, { purpose, subject, timeoutMs });
  }
}

/** The latest of each probe in this preflight; null while one is under way, or still to be made. */
function endedProbes(draft: Draft): ProbeStanding | null {
  const sinceMs = stepRun(draft, 'preflight').startedAtMs ?? 0;
  const standing = latestOf(draft, probesOf(draft), sinceMs);
  const openCount = standing.attempts.filter((attempt) => attempt.result === null).length;
  const isOver = draft.context.nowMs >= sinceMs + PREFLIGHT_MAX_MS && standing.attempts.some(isBroken);
  if (!isOver) openProbes(draft, standing.missing, openCount);
  return openCount > 0 || (standing.missing.length > 0 && !isOver) ? null : standing;
}

export function decidePreflight(draft: Draft): void {
  if (draft.locks.length === 0 && draft.promotion.preflightRevision === null) {
    beginWithoutLocks(draft);
    return;
  }
  const ended = endedProbes(draft);
  if (!ended) return;
  if (isStopped(draft)) {
    stepBackToLocks(draft);
    return;
  }
  const broken = ended.attempts.filter(isBroken);
  if (broken.length > 0) {
    const left = ended.missing.length === 0 ? '' : `; ${ended.missing.length} more were not looked at`;
    endPromotion(draft, 'failed', { code: 'preflight.failed', message: `${wordsOf(broken)}${left}` });
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
    goOnWithoutLocks(draft, guard, { isUnchanged, answers: answersOf(draft) });
    return;
  }
  moveToStep(draft, 'deploy', { state: 'succeeded', message: answersOf(draft) });
  beginDeploy(draft);
}

function answersOf(draft: Draft): string {
  const { length } = draft.snapshot.release.components;
  const artifacts = `${length} artifact${length === 1 ? ' is' : 's are'} there`;
  return `${targetNames(draft).length} targets answered, ${artifacts}`;
}

/** What would send it back to its gates is looked at first; afterwards it is bound to what the environment runs now. */
function beginWithoutLocks(draft: Draft): void {
  if (isOvertaken(draft)) {
    endOvertaken(draft);
    return;
  }
  if (reopenGates(draft)) return;
  updatePromotion(draft, { preflightRevision: draft.environment.policyRevision });
  openProbes(draft, probesOf(draft), 0);
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
  { isUnchanged, answers }: { readonly isUnchanged: boolean; readonly answers: string },
): void {
  const message = `${answers}${isUnchanged ? '' : ', but the environment was changed meanwhile'}`;
  moveToStep(draft, 'acquire_locks', { state: 'succeeded', message: `${message}; no lock was held` });
  updatePromotion(draft, { preflightRevision: null, ticket: guard.ticket });
  if (!isUnchanged || !isItsTurn(draft, guard) || exhaustedQuota(draft, guard)) return;
  const count = takeLocks(draft, guard);
  startTimeUnderLock(draft);
  moveToStep(draft, 'deploy', { state: 'succeeded', message: `${count} locks taken` });
  beginDeploy(draft);
}
