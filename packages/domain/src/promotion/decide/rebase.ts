/**
 * The base of a promotion: what the environment ran when its gates were opened. When the environment runs another release
 * by now, approvals that were given over the old one count no more (safety S8): their round ends with the difference, and
 * a new one is opened, which is not counted among the rounds that expired.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { componentDifferences, describeBaseChange } from '../../release/component-differences.ts';
import { baseIdOf } from '../scope.ts';
import { addEvent, type Draft, updatePromotion } from './draft.ts';
import { currentGateRuns, openNextRound } from './gate-runs.ts';

/** How the message of a round begins that a changed base has ended. */
export const BASE_CHANGED = 'base_changed';

export function isBaseChanged({ promotion, environment, snapshot }: Draft): boolean {
  return promotion.baseReleaseId !== baseIdOf(environment, snapshot.release) && !isPlanted('approval.of_older_base');
}

/** Why a round ends, for the person who has to look again. */
export function baseChangeWords({ snapshot }: Draft): string {
  return `${BASE_CHANGED}: ${describeBaseChange(snapshot.formerBase, snapshot.base)}`;
}

/** From now on the promotion is bound to what the environment runs now. */
export function noteBase(draft: Draft): void {
  if (!isBaseChanged(draft)) return;
  const { formerBase, base } = draft.snapshot;
  const differences = componentDifferences(formerBase, base).map(({ component, from, to }) => ({
    component,
    from,
    to,
  }));
  const { baseReleaseId } = draft.promotion;
  const releaseId = baseIdOf(draft.environment, draft.snapshot.release);
  addEvent(draft, 'promotion.base_changed', { from: baseReleaseId, to: releaseId, differences });
  updatePromotion(draft, { baseReleaseId: releaseId });
}

/** At the gates: as soon as it is noticed, so that nobody is asked to approve over a base that is no more. */
export function voidApprovals(draft: Draft): void {
  if (!isBaseChanged(draft)) return;
  const words = baseChangeWords(draft);
  noteBase(draft);
  for (const run of currentGateRuns(draft)) {
    if (run.kind !== 'approval' || run.state === 'skipped' || run.verdict === 'failed') continue;
    const answers = draft.snapshot.approvals.filter((one) => one.gateRunId === run.id);
    // A person's no is one over any base.
    if (answers.some((one) => one.decision === 'rejected')) continue;
    if (run.verdict !== null || answers.length > 0) openNextRound(draft, run, words);
  }
}

/** Of an open approval: why it was asked for again; empty in its first round. */
export function whyAskedAgain(draft: Draft, gate: string): string {
  const voided = draft.gateRuns.findLast(
    (run) => run.gate === gate && run.state === 'expired' && run.message.startsWith(`${BASE_CHANGED}: `),
  );
  return voided ? `; asked again: ${voided.message.slice(BASE_CHANGED.length + 2)}` : '';
}
