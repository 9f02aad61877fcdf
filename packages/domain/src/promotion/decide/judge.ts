/**
 * A canary between its verification and the other targets: it soaks while its judge is asked, as often as the definition
 * says. When the soak is over and the last word is a yes, its targets are observed once more; only then the others begin.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { Batch, CanaryStrategy } from '../../environment/deploy-strategy.ts';
import { toRfc3339 } from '../../values/instant.ts';
import { CANARY, type CanaryStanding, canaryStanding } from '../canary-standing.ts';
import type { Ending } from '../promotion.ts';
import { addEvent, type Draft, openAttempt, setStepWaiting, stepRun, updateStep, wakeAt } from './draft.ts';
import { isStopped } from './stop.ts';
import { isPastDeadline, remainingMs } from './target-operations.ts';

export type Judgement =
  | { readonly state: 'open' }
  /** Its targets are to be observed once more, from that moment on. */
  | { readonly state: 'passed'; readonly atMs: number }
  | { readonly state: 'refused'; readonly ending: Ending }
  /** Nothing further is asked: somebody cancelled, the environment is stopped, or the time is over. */
  | { readonly state: 'over' };

/** Looks at where the soak stands, and asks when it is time. */
export function judgeCanary(draft: Draft, strategy: CanaryStrategy, { targets }: Batch): Judgement {
  const sinceMs = stepRun(draft, 'deploy').startedAtMs ?? 0;
  const standing = canaryStanding(strategy, draft.attempts, targets, sinceMs);
  if (standing?.isAsking !== false) return { state: 'open' };
  const { verdict, last } = standing;
  if (verdict === 'passed' || isPlanted('canary.judge_ignored')) {
    endSoak(draft);
    return { state: 'passed', atMs: last?.result?.endedAtMs ?? standing.soaksUntilMs };
  }
  if (verdict !== 'open') return { state: 'refused', ending: refusal(standing) };
  if (isStopped(draft) || draft.promotion.cancelRequestedAtMs !== null || isPastDeadline(draft))
    return { state: 'over' };
  soakOn(draft, strategy, standing);
  return { state: 'open' };
}

function soakOn(draft: Draft, { judge }: CanaryStrategy, { soaksUntilMs, nextAtMs }: CanaryStanding): void {
  const { nowMs } = draft.context;
  if (nowMs < soaksUntilMs) setStepWaiting(draft, `the canary soaks until ${toRfc3339(soaksUntilMs)}`);
  else endSoak(draft);
  if (nowMs < nextAtMs) {
    wakeAt(draft, Math.min(nextAtMs, draft.promotion.deployDeadlineAtMs ?? nextAtMs));
    return;
  }
  openAttempt(draft, {
    purpose: 'judge',
    subject: CANARY,
    timeoutMs: Math.min(judge.timeoutMs, remainingMs(draft)),
  });
}

/** From here on it is worked on again, and the stall clock runs. */
function endSoak(draft: Draft): void {
  if (stepRun(draft, 'deploy').state === 'waiting') updateStep(draft, 'deploy', { state: 'running', message: '' });
}

function refusal({ verdict, failureCount, askedCount, last }: CanaryStanding): Ending {
  const words = last?.result?.message ?? '';
  const message = `${failureCount} of ${askedCount} questions to the judge of the canary were not answered with a yes; the last: ${words}`;
  return { code: verdict === 'unanswered' ? 'canary.unanswered' : 'canary.failed', message };
}

/** Once for each canary: what came of it, and of how many questions. */
export function noteJudgement(draft: Draft, strategy: CanaryStrategy, { targets }: Batch): void {
  const standing = canaryStanding(strategy, draft.attempts, targets, stepRun(draft, 'deploy').startedAtMs ?? 0);
  if (!standing) return;
  const { verdict, askedCount, failureCount } = standing;
  const message = `${askedCount} questions, ${failureCount} without a yes, ${strategy.judge.failuresAllowed} allowed`;
  addEvent(draft, 'deploy.canary_judged', { verdict, questions: askedCount, failures: failureCount, message });
}
