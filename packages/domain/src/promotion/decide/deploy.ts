/**
 * Step 4: the targets get their operations, batch by batch as the strategy has it. An unclear outcome is tried again with
 * a new fence and a new operation id; a clear no stops the batch, no further one begins, and `onFailure` applies. A
 * cancellation and a stop of the environment are heard between two operations as well as between two batches.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { type Batch, batchesOf } from '../../environment/deploy-strategy.ts';
import type { Attempt } from '../promotion.ts';
import { stateOfScope } from '../scope.ts';
import { applyOnFailure } from './apply-on-failure.ts';
import { addEvent, type Draft, moveToStep, noteProgress, stepRun, updatePromotion } from './draft.ts';
import { judgeCanary, noteJudgement } from './judge.ts';
import { useSkips } from './skips.ts';
import { failStopped, isStopped, isUntouched, stepBackToLocks } from './stop.ts';
import { isAsPromised, isPastDeadline, targetNames, wordsOf } from './target-operations.ts';
import { goThrough, type RoundStanding } from './target-round.ts';

/** The first operations are opened by the rule of the step, in the same transaction. */
export function beginDeploy(draft: Draft): void {
  useSkips(draft);
  updatePromotion(draft, { baseState: stateOfScope(draft.environment, draft.snapshot.release) });
}

export function decideDeploy(draft: Draft): void {
  // An answer of the judge is waited for, whatever has come meanwhile: a cancellation ends the question soon.
  if (draft.attempts.some((attempt) => attempt.purpose === 'judge' && attempt.result === null)) return;
  const names = targetNames(draft);
  const batches = batchesOf(draft.promotion.definition, names);
  // The last one that was touched: those before it have passed.
  const current = Math.max(
    0,
    batches.findLastIndex((batch) => isTouched(draft, batch)),
  );
  for (const batch of batches.slice(current)) {
    if (!isPassed(draft, batch, batches.length)) return;
  }
  moveToStep(draft, 'verify', { state: 'succeeded', message: `${names.length} targets deployed${inBatches(batches)}` });
}

function inBatches({ length }: readonly Batch[]): string {
  return length > 1 ? ` in ${length} batches` : '';
}

/** Deployed and, when there are others, verified. False: not yet, or the deploy is over. */
function isPassed(draft: Draft, batch: Batch, batchCount: number): boolean {
  const isNew = batchCount > 1 && !isTouched(draft, batch);
  const deployed = goThroughBatch(draft, batch, 'deploy');
  if (isNew && deployed.state === 'open') noteBatch(draft, 'deploy.batch_started', batch, batchCount);
  if (!hasEndedWell(draft, deployed, 'deploy.failed')) return false;
  if ((batchCount === 1 && !batch.isCanary) || isPlanted('batch.not_verified')) return true;
  if (!hasEndedWell(draft, goThroughBatch(draft, batch, 'batch_verify'), 'verify.failed')) return false;
  if (!isContent(draft, batch)) return false;
  noteBatch(draft, 'deploy.batch_verified', batch, batchCount);
  noteProgress(draft);
  return true;
}

/** A canary has soaked, its judge said yes, and its targets are still well. False as well after it has ended the deploy. */
function isContent(draft: Draft, batch: Batch): boolean {
  const { strategy } = draft.promotion.definition;
  if (strategy?.kind !== 'canary' || !batch.isCanary) return true;
  const judgement = judgeCanary(draft, strategy, batch);
  if (judgement.state === 'open') return false;
  if (judgement.state === 'over') return hasEndedWell(draft, { state: 'bad', attempts: [] }, 'verify.failed');
  if (judgement.state === 'refused') {
    noteJudgement(draft, strategy, batch);
    applyOnFailure(draft, judgement.ending);
    return false;
  }
  // Not every one: they are observed a few at a time, and the judgement is told with the first of them.
  const isNoted = batch.targets.some((target) => wasSeenSince(draft, target, judgement.atMs));
  if (!isNoted) noteJudgement(draft, strategy, batch);
  const seen = goThroughBatch(draft, batch, 'batch_verify', judgement.atMs);
  return hasEndedWell(draft, seen, 'verify.failed');
}

function wasSeenSince({ attempts }: Draft, target: string, sinceMs: number): boolean {
  return attempts.some(
    (attempt) => attempt.purpose === 'batch_verify' && attempt.subject === target && attempt.startedAtMs >= sinceMs,
  );
}

function goThroughBatch(
  draft: Draft,
  { targets }: Batch,
  purpose: 'deploy' | 'batch_verify',
  sinceMs = stepRun(draft, 'deploy').startedAtMs ?? 0,
): RoundStanding {
  const { release } = draft.snapshot;
  const isGood = (attempt: Attempt): boolean =>
    purpose === 'deploy' ? attempt.result?.outcome === 'succeeded' : isAsPromised(draft, release, attempt);
  return goThrough(draft, { purpose, targets, sinceMs, isGood });
}

function isTouched(draft: Draft, { targets }: Batch): boolean {
  const sinceMs = stepRun(draft, 'deploy').startedAtMs ?? 0;
  return draft.attempts.some(
    ({ purpose, subject, startedAtMs }) => purpose === 'deploy' && startedAtMs >= sinceMs && targets.includes(subject),
  );
}

function noteBatch(
  draft: Draft,
  type: 'deploy.batch_started' | 'deploy.batch_verified',
  { number, targets, isCanary }: Batch,
  batchCount: number,
): void {
  const message = `batch ${number} of ${batchCount}${isCanary ? ', the canary' : ''}: ${targets.join(', ')}`;
  addEvent(draft, type, { batch: number, batches: batchCount, targets: targets.length, message });
}

/** False as well after it has ended the deploy otherwise. */
function hasEndedWell(draft: Draft, standing: RoundStanding, code: 'deploy.failed' | 'verify.failed'): boolean {
  if (standing.state === 'open') return false;
  const isBad = standing.state === 'bad';
  if (isBad && isStopped(draft)) {
    if (isUntouched(draft)) stepBackToLocks(draft);
    else failStopped(draft);
    return false;
  }
  if (draft.promotion.cancelRequestedAtMs !== null) {
    applyOnFailure(draft, { code: 'promotion.cancelled', message: 'cancelled during the deploy' });
    return false;
  }
  if (!isBad) return true;
  const words = wordsOf(standing.attempts);
  if (isPastDeadline(draft)) {
    const message = words === '' ? 'the time for the deploy was over before all batches had passed' : words;
    applyOnFailure(draft, { code: 'deploy.deadline', message });
  } else applyOnFailure(draft, { code, message: words });
  return false;
}
