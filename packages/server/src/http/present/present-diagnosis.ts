/** A diagnosis as the API shows it: instants as text. */
import type { Answer } from '@stella/contract';
import { type Cause, type Diagnosis, type Fact, type Remedy, toRfc3339 } from '@stella/domain';
import { presentInstant } from './values.ts';

type Shown = Answer<'diagnosePromotion'>;

export function presentDiagnosis(diagnosis: Diagnosis): Shown {
  const { timeBudget } = diagnosis;
  return {
    promotionId: diagnosis.promotionId,
    environment: diagnosis.environment,
    now: toRfc3339(diagnosis.nowMs),
    verdict: diagnosis.verdict,
    summary: diagnosis.summary,
    waitsUntil: presentInstant(diagnosis.waitsUntilMs),
    causes: diagnosis.causes.map(presentCause),
    ruledOut: diagnosis.ruledOut.map(presentFact),
    timeBudget: {
      lastProgressAt: toRfc3339(timeBudget.lastProgressAtMs),
      sinceProgressMs: timeBudget.sinceProgressMs,
      stuckAfterMs: timeBudget.stuckAfterMs,
      stallsAt: presentInstant(timeBudget.stallsAtMs),
      sloAt: presentInstant(timeBudget.sloAtMs),
    },
  };
}

function presentCause({ code, title, confidence, promotionId, facts, remedies }: Cause): Shown['causes'][number] {
  return { code, title, confidence, promotionId, facts: facts.map(presentFact), remedies: remedies.map(presentRemedy) };
}

function presentFact({ what, value, atMs, source }: Fact): Shown['ruledOut'][number] {
  return { what, value, at: toRfc3339(atMs), source };
}

function presentRemedy({ untilMs, ...remedy }: Remedy): Shown['causes'][number]['remedies'][number] {
  return {
    kind: remedy.kind,
    text: remedy.text,
    command: remedy.command,
    effect: remedy.effect,
    harm: remedy.harm,
    needs: remedy.needs,
    needsApproval: remedy.needsApproval,
    until: presentInstant(untilMs),
  };
}
