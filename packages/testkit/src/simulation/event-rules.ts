/** S6 and S13: every change of state has exactly one event in the same write, and the promotion's chain proves it. */
import {
  chainHash,
  type ChainedEvent,
  type ComponentStatus,
  type Decision,
  eventCanonicalForm,
  type EventType,
  isTerminal,
  type Json,
  type PromotionSnapshot,
  type Skip,
} from '@stella/domain';
import type { WriteRecord } from '../memory/memory-session.ts';
import { insist } from './safety-violation.ts';

export function checkEvents({ before, decision, ended, context }: WriteRecord, isAudited: boolean): void {
  checkPlaces(before, decision);
  if (isAudited) checkChain(before, decision);
  checkStatus(before, decision);
  checkSteps(before, decision);
  const { promotion } = decision;
  const expected = countChanges(before, decision);
  expected['attempt.ended'] = ended.length + decision.settledAttempts.length;
  expected['promotion.taken_over'] = context.isTakeover && before ? 1 : 0;
  for (const [type, count] of Object.entries(expected)) {
    const found = decision.events.filter((event) => event.type === type).length;
    insist('S6', found === count, () => `${promotion.id}: ${found} events ${type} for ${count} changes`);
  }
  const isAtNow = decision.events.every((event) => event.atMs === context.nowMs);
  insist('S6', isAtNow, () => `${promotion.id} has events of another moment`);
}

/** Numbers without a gap, and the promotion's head is the last event. */
function checkPlaces(before: PromotionSnapshot | null, { promotion, events }: Decision): void {
  const length = before?.promotion.chainLength ?? 0;
  const isNumbered = events.every((event, index) => event.promotionSeq === length + index + 1);
  insist('S13', isNumbered, () => `the events of ${promotion.id} have a gap`);
  const head = events.at(-1)?.hash ?? before?.promotion.chainHead ?? null;
  const isAtEnd = promotion.chainHead === head && promotion.chainLength === length + events.length;
  insist('S13', isAtEnd, () => `the chain of ${promotion.id} does not end at its head`);
}

/** Recomputes every hash from what an auditor would see. */
function checkChain(before: PromotionSnapshot | null, { promotion, events }: Decision): void {
  let head = before?.promotion.chainHead ?? null;
  let seq = before?.promotion.chainLength ?? 0;
  for (const event of events) {
    seq += 1;
    head = chainHash(head, eventCanonicalForm(event, seq));
    const isChained = event.promotionSeq === seq && event.hash === head && event.promotionId === promotion.id;
    insist('S13', isChained, () => `event ${event.type} is not number ${seq} of the chain of ${promotion.id}`);
  }
  const isAtEnd = promotion.chainHead === head && promotion.chainLength === seq;
  insist('S13', isAtEnd, () => `the chain of ${promotion.id} does not end at its head`);
}

function checkStatus(before: PromotionSnapshot | null, { promotion, events }: Decision): void {
  const changes = ofType(events, 'promotion.status_changed');
  const from = before?.promotion.status ?? promotion.status;
  const isRight =
    from === promotion.status
      ? changes.length === 0
      : changes.length === 1 && field(changes[0], 'from') === from && field(changes[0], 'to') === promotion.status;
  insist('S6', isRight, () => `${promotion.id} went from ${from} to ${promotion.status} in ${changes.length} events`);
}

/** The events lead from the step before, each to the next, to the step after; an end leads nowhere. */
function checkSteps(before: PromotionSnapshot | null, { promotion, events }: Decision): void {
  let step: Json | undefined = before?.promotion.step ?? promotion.step;
  for (const event of ofType(events, 'promotion.step_changed')) {
    insist(
      'S6',
      field(event, 'from') === step,
      () => `${promotion.id} left ${JSON.stringify(field(event, 'from'))} unentered`,
    );
    step = field(event, 'to');
  }
  const last = isTerminal(promotion.status) ? null : promotion.step;
  insist('S6', step === last, () => `${promotion.id} is in ${promotion.step}, its events say ${JSON.stringify(step)}`);
}

function countChanges(before: PromotionSnapshot | null, decision: Decision): Partial<Record<EventType, number>> {
  const { promotion, gateRuns, newApprovals, environment } = decision;
  const runBefore = (id: string): PromotionSnapshot['gateRuns'][number] | undefined =>
    before?.gateRuns.find((run) => run.id === id);
  const rowBefore = (component: string): ComponentStatus | undefined =>
    before?.environment.components.find((one) => one.component === component);
  // Others may have completed there in the same millisecond, so the moment alone does not tell.
  const isReleased =
    environment?.components.some((one) => {
      const was = rowBefore(one.component);
      return one.releaseId !== (was?.releaseId ?? null) || one.releasedAtMs !== (was?.releasedAtMs ?? null);
    }) ?? false;
  const isOtherState =
    environment !== null &&
    (environment.state !== before?.environment.state ||
      environment.components.some((one) => one.state !== rowBefore(one.component)?.state));
  const isRebased =
    promotion.baseReleaseId !== before?.promotion.baseReleaseId && before?.promotion.step !== 'precheck';
  return {
    'promotion.created': before === null ? 1 : 0,
    'gate.opened': gateRuns.filter((run) => !runBefore(run.id)).length,
    'gate.verdict': gateRuns.filter((run) => run.verdict !== null && !runBefore(run.id)?.verdict).length,
    'gate.expired': gateRuns.filter((run) => run.state === 'expired').length,
    ...countSkipChanges(before, decision),
    'lock.acquired': decision.takenLocks.length > 0 ? 1 : 0,
    'lock.released': decision.releasedLocks.length,
    'environment.released': isReleased ? 1 : 0,
    'environment.state_changed': isOtherState && !isReleased ? 1 : 0,
    'environment.stopped': environment?.stop && !before?.environment.stop ? 1 : 0,
    'promotion.base_changed': before !== null && isRebased ? 1 : 0,
    'promotion.approved': newApprovals.filter((one) => one.decision === 'approved').length,
    'promotion.rejected_by_person': newApprovals.filter((one) => one.decision === 'rejected').length,
    'promotion.cancel_requested':
      promotion.cancelRequestedAtMs !== (before?.promotion.cancelRequestedAtMs ?? null) ? 1 : 0,
  };
}

function countSkipChanges(before: PromotionSnapshot | null, decision: Decision): Partial<Record<EventType, number>> {
  const { gateRuns, skips, debts } = decision;
  const stateBefore = (id: string): string | undefined => before?.skips.find((one) => one.id === id)?.state;
  const into = (state: Skip['state']): number =>
    skips.filter((one) => one.state === state && stateBefore(one.id) !== state).length;
  const wasSkipped = (id: string): boolean => before?.gateRuns.find((run) => run.id === id)?.state === 'skipped';
  return {
    'skip.requested': into('requested'),
    'skip.approved': into('approved'),
    'skip.rejected': into('rejected'),
    'skip.lapsed': into('lapsed'),
    'skip.used': into('used'),
    'gate.skipped': gateRuns.filter((run) => run.state === 'skipped' && !wasSkipped(run.id)).length,
    'debt.opened': debts.filter((one) => one.state === 'open').length,
    'debt.superseded': debts.filter((one) => one.state === 'superseded').length,
  };
}

function ofType(events: readonly ChainedEvent[], type: EventType): ChainedEvent[] {
  return events.filter((event) => event.type === type);
}

function field(event: ChainedEvent | undefined, name: string): Json | undefined {
  const data = event?.data;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  // An object of JSON: its members are JSON.
  return (data as { readonly [key: string]: Json | undefined })[name];
}
