/** S5: the status, the step and the end say the same; every change that was told of is a listed one. */
import { STATUS_TRANSITIONS, STEPS, isTerminal, type PromotionStatus, type Step } from '../promotion/status.ts';
import { textField } from './event-fields.ts';
import type { PromotionRecord } from './store-state.ts';
import { type PromotionRule, unless } from './store-view.ts';

const ended: PromotionRule = {
  name: 'S5.ended',
  find: (record) => {
    const { status, endedAtMs, ending } = record.promotion;
    const isEnded = isTerminal(status);
    const isExplained = !isEnded || (ending === null) === (status === 'completed');
    return unless((endedAtMs !== null) === isEnded && isExplained, record, `is ${status} and its end says otherwise`);
  },
};

const UNDER_WAY: ReadonlySet<string> = new Set(['running', 'waiting']);

/** The current step of a live promotion is open, and no other. */
const step: PromotionRule = {
  name: 'S5.step',
  find: (record) => {
    const { status, step: current } = record.promotion;
    const isCurrentOpen = !isTerminal(status);
    const open = record.steps.filter((run) => run.startedAtMs !== null && run.endedAtMs === null);
    const isRight = isCurrentOpen
      ? open.length === 1 && open[0]?.step === current && UNDER_WAY.has(open[0].state)
      : open.length === 0 && record.steps.some((run) => run.step === current);
    return unless(isRight, record, `is ${status} in ${current}, its steps say otherwise`);
  },
};

/** The words that are tied to a step or to a wish; the others fit everywhere. */
const WORDS: Partial<Record<PromotionStatus, (record: PromotionRecord) => boolean>> = {
  queued: (record) =>
    (record.promotion.step === 'acquire_locks' && record.promotion.ticket !== null) ||
    isWaitingFor(record, 'dependency'),
  pending_approval: (record) => isWaitingFor(record, 'approval'),
  scheduled: (record) => isWaitingFor(record, 'soak') || isWaitingFor(record, 'window') || isSoaking(record),
  cancelling: ({ promotion }) => promotion.cancelRequestedAtMs !== null && isFrom(promotion.step, 'deploy'),
  completed: ({ promotion }) => promotion.step === 'verify',
  rolled_back: ({ promotion }) => promotion.step === 'rollback',
  cancelled: ({ promotion }) => promotion.cancelRequestedAtMs !== null,
  rejected: ({ promotion, gateRuns }) =>
    promotion.step === 'evaluate_gates' && gateRuns.some((run) => run.verdict === 'failed'),
  superseded: ({ promotion }) => !isFrom(promotion.step, 'deploy'),
};

const word: PromotionRule = {
  name: 'S5.word',
  find: (record) => {
    const { status, step: current } = record.promotion;
    return unless(WORDS[status]?.(record) ?? true, record, `is ${status} in ${current} for no reason`);
  },
};

function isFrom(current: Step, first: Step): boolean {
  return STEPS.indexOf(current) >= STEPS.indexOf(first);
}

function isWaitingFor({ promotion, gateRuns }: PromotionRecord, kind: string): boolean {
  return promotion.step === 'evaluate_gates' && gateRuns.some((run) => run.kind === kind && run.state === 'waiting');
}

/** A canary in the middle of a deploy. */
function isSoaking({ promotion, steps }: PromotionRecord): boolean {
  return promotion.step === 'deploy' && steps.some((run) => run.step === 'deploy' && run.state === 'waiting');
}

/** One at its birth, one more with each change, and a claim is a change. */
const version: PromotionRule = {
  name: 'S5.version',
  find: (record) => {
    const { version: number, claimEpoch } = record.promotion;
    return unless(claimEpoch >= 0 && number > claimEpoch, record, `has version ${number} after ${claimEpoch} claims`);
  },
};

const transitions: PromotionRule = {
  name: 'S5.transitions',
  find: (record) => {
    const illegal = record.events.filter((event) => {
      if (event.type !== 'promotion.status_changed') return false;
      const followers: readonly string[] = FOLLOWERS.get(textField(event.data, 'from') ?? '') ?? [];
      return !followers.includes(textField(event.data, 'to') ?? '');
    });
    return unless(illegal.length === 0, record, `changed its status as it may not`);
  },
};

const FOLLOWERS = new Map<string, readonly string[]>(Object.entries(STATUS_TRANSITIONS));

export const STATUS_RULES: readonly PromotionRule[] = [ended, step, word, version, transitions];
