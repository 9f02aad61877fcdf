/** A canary in the middle of a deploy: it soaks, its judge says no, or nobody there answers. */
import { type Batch, batchesOf, type CanaryStrategy } from '../environment/deploy-strategy.ts';
import { type CanaryStanding, canaryStanding } from '../promotion/canary-standing.ts';
import { targetsOf } from '../promotion/scope.ts';
import { toRfc3339 } from '../values/instant.ts';
import {
  type CaseView,
  externalRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  resumption,
  waitRemedy,
} from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Fact, Remedy } from './diagnosis.ts';

export const findCanaryCauses: FindCauses = (view) => {
  const { promotion } = view.snapshot;
  const { strategy } = promotion.definition;
  if (strategy?.kind !== 'canary') return [];
  const { ending } = promotion;
  const wasRefused = ending?.code === 'canary.failed' || ending?.code === 'canary.unanswered';
  if (!wasRefused && (view.isEnded || promotion.step !== 'deploy')) return [];
  const canary = canaryOf(view);
  const standing = canary && standingOf(view, strategy, canary);
  if (!canary || !standing) return [];
  const place: Place = { strategy, canary, standing };
  if (ending?.code === 'canary.failed' || ending?.code === 'canary.unanswered')
    return [refused(view, place, ending.code)];
  if (standing.verdict !== 'open') return [];
  return view.nowMs < standing.soaksUntilMs ? [soaking(view, place)] : lastWordMissing(view, place);
};

interface Place {
  readonly strategy: CanaryStrategy;
  readonly canary: Batch;
  readonly standing: CanaryStanding;
}

function canaryOf({ snapshot: { promotion, release } }: CaseView): Batch | null {
  const names = targetsOf(promotion, release).map((target) => target.name);
  return batchesOf(promotion.definition, names).find((batch) => batch.isCanary) ?? null;
}

function standingOf({ snapshot }: CaseView, strategy: CanaryStrategy, { targets }: Batch): CanaryStanding | null {
  const sinceMs = snapshot.steps.find((run) => run.step === 'deploy')?.startedAtMs ?? 0;
  return canaryStanding(strategy, snapshot.attempts, targets, sinceMs);
}

function soaking(view: CaseView, place: Place): Cause {
  const { soaksUntilMs } = place.standing;
  const wait = waitRemedy({
    text: 'the other targets follow by themselves, when the judge is content to the end',
    command: view.snapshot.promotion.cancelRequestedAtMs === null ? cancelLine(view) : null,
    effect: `onFailure (${view.snapshot.promotion.definition.onFailure}) applies to the canary, when it is cancelled`,
    needs: 'releaser',
    untilMs: soaksUntilMs,
  });
  return makeCause(view, 'soak.running', { confidence: 'certain', facts: judgeFacts(view, place), remedies: [wait] });
}

/** The soak is over, and it goes on with the first yes: whoever does not say it holds up the other targets. */
function lastWordMissing(view: CaseView, place: Place): Cause[] {
  const outcome = place.standing.last?.result?.outcome;
  if (outcome === undefined || outcome === 'passed') return [];
  const code = outcome === 'failed' ? 'canary.failed' : 'canary.unanswered';
  const again = waitRemedy({
    text: 'it is asked again by itself, until it has refused too often',
    command: cancelLine(view),
    effect: `onFailure (${view.snapshot.promotion.definition.onFailure}) applies to the canary, when it is cancelled`,
    needs: 'releaser',
    untilMs: view.snapshot.promotion.deployDeadlineAtMs,
  });
  const remedies = [mending(view, place, code), again];
  return [makeCause(view, code, { confidence: 'certain', facts: judgeFacts(view, place), remedies })];
}

function refused(view: CaseView, place: Place, code: 'canary.failed' | 'canary.unanswered'): Cause {
  const facts = judgeFacts(view, place);
  return makeCause(view, code, { confidence: 'certain', facts, remedies: [mending(view, place, code)] });
}

function mending(view: CaseView, { strategy, canary }: Place, code: 'canary.failed' | 'canary.unanswered'): Remedy {
  const text =
    code === 'canary.failed'
      ? `find out what ${canary.targets.join(', ')} does wrong by what the judge measures: ${strategy.judge.url}`
      : `let the judge answer again: ${strategy.judge.url}`;
  return externalRemedy({ text, ...resumption(view) });
}

function judgeFacts(view: CaseView, { strategy, canary, standing }: Place): Fact[] {
  const { sinceMs, soaksUntilMs, askedCount, failureCount, last } = standing;
  const soak = `${canary.targets.join(', ')} soaks until ${toRfc3339(soaksUntilMs)}`;
  const count = `asked ${askedCount} times, ${failureCount} without a yes, ${strategy.judge.failuresAllowed} allowed`;
  const facts = [
    makeFact('promotion', 'canary', soak, sinceMs),
    makeFact('attempts', 'judge', count, last?.result?.endedAtMs ?? view.nowMs),
  ];
  if (last?.result) {
    const { outcome, message, endedAtMs } = last.result;
    facts.push(makeFact('attempts', 'last answer', `${outcome}: ${message}`, endedAtMs));
  }
  return facts;
}

function cancelLine({ snapshot: { promotion } }: CaseView): string | null {
  return commandLine('promotion', 'cancel', promotion.id);
}
