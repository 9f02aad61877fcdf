/**
 * S6: one change of state, one event, in the same transaction. So the events of a promotion, replayed, lead to its row, and
 * there are as many of each kind as there are rows that tell of the same. Those of ended promotions may have been removed by
 * retention, all of one promotion at once.
 */
import type { EventType } from '../audit/event.ts';
import { isTerminal } from '../promotion/status.ts';
import { textField } from './event-fields.ts';
import type { PromotionRecord, StoredEvent } from './store-state.ts';
import { countedOutcome, type PromotionRule, type StoreView, unless } from './store-view.ts';

/** Retention removed them. */
export function isPruned({ promotion, events }: PromotionRecord): boolean {
  return promotion.endedAtMs !== null && events.length === 0;
}

const length: PromotionRule = {
  name: 'S6.length',
  find: (record) => {
    const isWhole = isPruned(record) || record.events.length === record.promotion.chainLength;
    return unless(
      isWhole,
      record,
      `has ${record.events.length} events, its chain is ${record.promotion.chainLength} long`,
    );
  },
};

function ofType({ events }: PromotionRecord, type: EventType): StoredEvent[] {
  return events.filter((event) => event.type === type);
}

/** The events of one kind lead from `start`, each to the next, to `end`. */
function leads(events: readonly StoredEvent[], start: string, end: string | null): boolean {
  let at: string | null = start;
  for (const { data } of events) {
    if (textField(data, 'from') !== at) return false;
    at = textField(data, 'to');
  }
  return at === end;
}

const status: PromotionRule = {
  name: 'S6.status',
  find: (record) => {
    const leadsThere = leads(ofType(record, 'promotion.status_changed'), 'in_progress', record.promotion.status);
    return unless(
      isPruned(record) || leadsThere,
      record,
      `its events do not lead to status ${record.promotion.status}`,
    );
  },
};

const steps: PromotionRule = {
  name: 'S6.steps',
  find: (record) => {
    const { status: word, step } = record.promotion;
    const end = isTerminal(word) ? null : step;
    const leadsThere = leads(ofType(record, 'promotion.step_changed'), 'precheck', end);
    return unless(isPruned(record) || leadsThere, record, `its events do not lead to step ${step}`);
  },
};

const counts: PromotionRule = {
  name: 'S6.counts',
  find: (record, view) => {
    if (isPruned(record)) return [];
    const wrong = Object.entries(expectedCounts(record, view)).filter(
      ([type, count]) => record.events.filter((event) => event.type === type).length !== count,
    );
    return unless(
      wrong.length === 0,
      record,
      `has too many or too few events ${wrong.map(([type]) => type).join(', ')}`,
    );
  },
};

function expectedCounts(record: PromotionRecord, view: StoreView): Partial<Record<EventType, number>> {
  const { promotion, gateRuns, attempts } = record;
  // One given after the end pays a debt, whose own event tells of it.
  const approvals = record.approvals.filter((one) => one.atMs <= (promotion.endedAtMs ?? Number.POSITIVE_INFINITY));
  const locks = view.locks.get(promotion.id) ?? [];
  return {
    'promotion.created': 1,
    'promotion.cancel_requested': promotion.cancelRequestedAtMs === null ? 0 : 1,
    'promotion.approved': approvals.filter((one) => one.decision === 'approved').length,
    'promotion.rejected_by_person': approvals.filter((one) => one.decision === 'rejected').length,
    'attempt.ended': attempts.filter((one) => countedOutcome(one) !== null).length,
    'gate.opened': gateRuns.length,
    'gate.verdict': gateRuns.filter((run) => run.verdict !== null).length,
    'lock.released': locks.filter((lock) => lock.releasedAtMs !== null).length,
    'environment.released': promotion.status === 'completed' ? 1 : 0,
  };
}

export const TRAIL_RULES: readonly PromotionRule[] = [length, status, steps, counts];
