/**
 * Step 6, only when it runs: the touched targets get the release back that was last verified there, each with a new
 * fence, and each is observed afterwards.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { isAsPromised, markEnvironment, targetNames, touchedTargets, wordsOf } from './target-operations.ts';
import { type Draft, endPromotion, stepRun } from './draft.ts';
import type { Attempt } from '../promotion.ts';
import { whatRuns } from './what-runs.ts';
import { goThrough } from './target-round.ts';

export function decideRollback(draft: Draft): void {
  const targets = touchedTargets(draft);
  const sinceMs = stepRun(draft, 'rollback').startedAtMs ?? 0;
  const isGood = ({ result }: Attempt): boolean => result?.outcome === 'succeeded';
  const restored = goThrough(draft, { purpose: 'rollback', targets, sinceMs, isGood });
  if (restored.state === 'bad') failRollback(draft, restored.attempts);
  if (restored.state === 'good') verifyRollback(draft, targets, sinceMs);
}

function verifyRollback(draft: Draft, targets: readonly string[], sinceMs: number): void {
  const { base } = draft.snapshot;
  if (!base) return;
  const isGood = (attempt: Attempt): boolean => isAsPromised(draft, base, attempt);
  const seen = isPlanted('rollback.not_verified') ? [] : targets;
  const verified = goThrough(draft, { purpose: 'rollback_verify', targets: seen, sinceMs, isGood });
  if (verified.state === 'open') return;
  if (verified.state === 'bad') {
    failRollback(draft, verified.attempts);
    return;
  }
  // Targets that were not touched are as they were: whether they are mixed is not known better than before.
  if (targets.length === targetNames(draft).length) markEnvironment(draft, 'whole');
  endPromotion(draft, 'rolled_back', draft.promotion.ending, 'succeeded');
}

function failRollback(draft: Draft, bad: readonly Attempt[]): void {
  markEnvironment(draft, 'mixed');
  const first = draft.promotion.ending?.message ?? '';
  const words = wordsOf(bad) || 'it was stopped before all targets had begun';
  const message = `${words}${whatRuns(draft)}; it followed: ${first}`;
  endPromotion(draft, 'failed', { code: 'rollback.failed', message });
}
