/** Operations at targets: what deploy, verify and rollback have in common. */
import { isPlanted } from '../../planted-bugs.ts';
import type { Digest } from '../../values/digest.ts';
import type { Release } from '../../release/release.ts';
import type { Attempt, AttemptPurpose, EnvironmentState } from '../promotion.ts';
import { targetsOf, withState } from '../scope.ts';
import type { Json } from '../../values/canonical-json.ts';
import { addEvent, type Draft, lastAttempt, openAttempt, requireGuard } from './draft.ts';

/** Tries of one target's operation whose outcome stays unclear. */
export const OPERATION_ATTEMPTS_MAX = 3;

export function targetNames(draft: Draft): string[] {
  return targetsOf(draft.promotion, draft.snapshot.release).map((target) => target.name);
}

/** Opens one operation per named target, with a fence drawn now. */
export function openOperations(draft: Draft, purpose: 'deploy' | 'rollback', targets: readonly string[]): void {
  const guard = requireGuard(draft);
  if (!guard) return;
  for (const subject of targets) {
    const held = isPlanted('fence.of_the_lock') ? draft.locks[0]?.fence : undefined;
    openAttempt(draft, { purpose, subject, fence: held ?? guard.fence, timeoutMs: remainingMs(draft) });
  }
}

/** Time left under the lock; at least 1 ms, so that an attempt can end by its own deadline. */
export function remainingMs(draft: Draft): number {
  const deadlineAtMs = draft.promotion.deployDeadlineAtMs ?? draft.context.nowMs;
  return Math.max(1, deadlineAtMs - draft.context.nowMs);
}

export function isPastDeadline(draft: Draft): boolean {
  return draft.context.nowMs >= (draft.promotion.deployDeadlineAtMs ?? Number.POSITIVE_INFINITY);
}

/** Latest attempts by target; null while one of them is still open. */
export function endedAttempts(draft: Draft, purpose: AttemptPurpose, targets: readonly string[]): Attempt[] | null {
  const attempts = targets.flatMap((target) => {
    const attempt = lastAttempt(draft, purpose, target);
    return attempt ? [attempt] : [];
  });
  return attempts.some((attempt) => attempt.result === null) ? null : attempts;
}

/** Those whose outcome is unclear and that may be tried again. */
export function retryable(draft: Draft, attempts: readonly Attempt[]): Attempt[] {
  if (isPastDeadline(draft) || draft.promotion.cancelRequestedAtMs !== null) return [];
  return attempts.filter(({ result, number }) => {
    const isUnclear = result?.outcome === 'error' || result?.outcome === 'timeout';
    return isUnclear && number < OPERATION_ATTEMPTS_MAX;
  });
}

/** The digest that a target must report when it runs `release`; null when the release has no such component. */
export function promisedDigest(draft: Draft, release: Release, targetName: string): Digest | null {
  const target = draft.promotion.definition.targets.find((one) => one.name === targetName);
  return release.components.find((component) => component.name === target?.component)?.digest ?? null;
}

/** Observed, healthy, and the digest is the promised one. */
export function isAsPromised(draft: Draft, release: Release, attempt: Attempt): boolean {
  return (
    isPlanted('verify.not_looked') ||
    (attempt.result?.outcome === 'succeeded' &&
      attempt.result.digest === promisedDigest(draft, release, attempt.subject))
  );
}

export function wordsOf(attempts: readonly Attempt[]): string {
  return attempts.map((attempt) => `${attempt.subject}: ${attempt.result?.message ?? ''}`).join('; ');
}

export function markEnvironment(draft: Draft, state: 'mixed' | 'whole'): void {
  const changed = withState(draft.environment, draft.snapshot.release, state);
  if (changed === draft.environment || !requireGuard(draft)) return;
  draft.environment = changed;
  addEvent(draft, 'environment.state_changed', stateData(draft, state), draft.environment.name);
}

/** What an event tells of another state: of which components, when it is not of all. */
export function stateData({ environment, snapshot }: Draft, state: EnvironmentState): Json {
  if (environment.concurrency === 'exclusive') return { state };
  return { state, components: snapshot.release.components.map((one) => one.name) };
}
