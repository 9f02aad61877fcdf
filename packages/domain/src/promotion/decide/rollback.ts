/**
 * Step 6, only when it runs: the touched targets get the release back that was last verified there, each with a new
 * fence, and each is observed afterwards.
 */
import { isPlanted } from '../../planted-bugs.ts';
import {
  endedAttempts,
  isAsPromised,
  isPastDeadline,
  markEnvironment,
  openOperations,
  remainingMs,
  retryable,
  targetNames,
  wordsOf,
} from './target-operations.ts';
import { isStopped } from './stop.ts';
import { attemptsFor, type Draft, endPromotion, lastAttempt, openAttempt } from './draft.ts';
import type { Attempt } from '../promotion.ts';

export function beginRollback(draft: Draft): void {
  openOperations(draft, 'rollback', touchedTargets(draft));
}

/** Targets that got a deploy operation, whatever came of it. */
function touchedTargets(draft: Draft): string[] {
  return targetNames(draft).filter((name) => attemptsFor(draft, 'deploy', name).length > 0);
}

export function decideRollback(draft: Draft): void {
  const targets = touchedTargets(draft);
  const attempts = endedAttempts(draft, 'rollback', targets);
  if (!attempts) return;
  const bad = attempts.filter((attempt) => attempt.result?.outcome !== 'succeeded');
  if (bad.length > 0) {
    const again = rollbackRetryable(draft, bad);
    if (again.length === bad.length && !isStopped(draft))
      openOperations(
        draft,
        'rollback',
        again.map((attempt) => attempt.subject),
      );
    else failRollback(draft, bad);
    return;
  }
  verifyRollback(draft, targets);
}

function verifyRollback(draft: Draft, targets: readonly string[]): void {
  const { base } = draft.snapshot;
  if (!base) return;
  const unseen = isPlanted('rollback.not_verified')
    ? []
    : targets.filter((target) => lastAttempt(draft, 'rollback_verify', target) === null);
  for (const subject of unseen)
    openAttempt(draft, { purpose: 'rollback_verify', subject, timeoutMs: remainingMs(draft) });
  if (unseen.length > 0) return;
  const attempts = endedAttempts(draft, 'rollback_verify', targets);
  if (!attempts) return;
  const bad = attempts.filter((attempt) => !isAsPromised(draft, base, attempt));
  if (bad.length > 0) {
    const again = rollbackRetryable(draft, bad);
    if (again.length === bad.length) {
      for (const { subject } of again)
        openAttempt(draft, { purpose: 'rollback_verify', subject, timeoutMs: remainingMs(draft) });
    } else failRollback(draft, bad);
    return;
  }
  markEnvironment(draft, 'whole');
  endPromotion(draft, 'rolled_back', draft.promotion.ending, 'succeeded');
}

/** A cancellation does not stop a rollback: it is what the cancellation asked for. */
function rollbackRetryable(draft: Draft, bad: readonly Attempt[]): Attempt[] {
  const uncancelled: Draft = { ...draft, promotion: { ...draft.promotion, cancelRequestedAtMs: null } };
  return isPastDeadline(draft) ? [] : retryable(uncancelled, bad);
}

function failRollback(draft: Draft, bad: readonly Attempt[]): void {
  markEnvironment(draft, 'mixed');
  const first = draft.promotion.ending?.message ?? '';
  endPromotion(draft, 'failed', { code: 'rollback.failed', message: `${wordsOf(bad)}; it followed: ${first}` });
}
