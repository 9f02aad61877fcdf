/** Operations at targets: what deploy, verify and rollback have in common. */
import { promisedDigestOf } from '../../environment/target-components.ts';
import { isPlanted } from '../../planted-bugs.ts';
import type { Digest } from '../../values/digest.ts';
import type { Release } from '../../release/release.ts';
import type { Attempt, EnvironmentState } from '../promotion.ts';
import { targetsOf, withState } from '../scope.ts';
import type { Json } from '../../values/canonical-json.ts';
import { addEvent, type Draft, requireGuard } from './draft.ts';

/** Tries of one target's operation whose outcome stays unclear. */
export const OPERATION_ATTEMPTS_MAX = 3;

export function targetNames(draft: Draft): string[] {
  return targetsOf(draft.promotion, draft.snapshot.release).map((target) => target.name);
}

/** Time left under the lock; at least 1 ms, so that an attempt can end by its own deadline. */
export function remainingMs(draft: Draft): number {
  const deadlineAtMs = draft.promotion.deployDeadlineAtMs ?? draft.context.nowMs;
  return Math.max(1, deadlineAtMs - draft.context.nowMs);
}

export function isPastDeadline(draft: Draft): boolean {
  return draft.context.nowMs >= (draft.promotion.deployDeadlineAtMs ?? Number.POSITIVE_INFINITY);
}

/** The digest that a target must report when it runs `release`; null when the release lacks what it runs. */
export function promisedDigest(draft: Draft, release: Release, targetName: string): Digest | null {
  const target = draft.promotion.definition.targets.find((one) => one.name === targetName);
  return target ? promisedDigestOf(target, release) : null;
}

/** Observed, healthy, and the digest is the promised one. */
export function isAsPromised(draft: Draft, release: Release, attempt: Attempt): boolean {
  return (
    isPlanted('verify.not_looked') ||
    (attempt.result?.outcome === 'succeeded' &&
      attempt.result.digest === promisedDigest(draft, release, attempt.subject))
  );
}

/** Targets that a sentence holds with what each of them said; the others are counted, and the trace has all. */
const WORDS_MAX = 10;

export function wordsOf(attempts: readonly Attempt[]): string {
  const named = attempts.slice(0, WORDS_MAX).map(({ subject, result }) => `${subject}: ${result?.message ?? ''}`);
  const more = attempts.length - WORDS_MAX;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** Targets that got a deploy operation, whatever came of it. */
export function touchedTargets(draft: Draft): string[] {
  // One walk over the attempts: there may be thousands, and hundreds of targets.
  const touched = new Set(draft.attempts.flatMap(({ purpose, subject }) => (purpose === 'deploy' ? [subject] : [])));
  return targetNames(draft).filter((name) => touched.has(name));
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
