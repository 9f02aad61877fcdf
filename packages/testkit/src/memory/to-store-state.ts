/** The maps as the rows of a store, so that the rules of safety and liveness can be asked about them. */
import type * as domain from '@stella/domain';
import type { PromotionId } from '@stella/domain';
import { breaksIn } from './memory-reads.ts';
import type { MemoryState, StoredEvent, StoredOutcome, StoredPromotion } from './memory-state.ts';

/** Events keep their identity from call to call, so that each is hashed once. */
export type EventCache = WeakMap<StoredEvent, domain.StoredEvent>;

/** What was committed, from one moment. */
export function toStoreState(state: MemoryState, kept: EventCache = new WeakMap()): domain.StoreState {
  const late = groupLate(state);
  const { ofPromotions, others } = groupEvents(state, kept);
  const head = state.chainHead.get('only');
  return {
    installation: { epoch: state.fenceEpoch, lastFenceNumber: state.lastFence },
    promotions: [...state.promotions.values()].map((row) => ({
      promotion: row.promotion,
      steps: [...row.steps.values()],
      gateRuns: [...row.gateRuns.values()],
      attempts: toAttempts(row, late),
      approvals: row.approvals.map((one) => ({ ...one, subject: state.persons.get(one.personId)?.subject ?? '' })),
      skips: [...row.skips.values()].map(toSkip),
      events: ofPromotions.get(row.promotion.id) ?? [],
    })),
    locks: [...state.locks.values()],
    environments: [...state.environments.values()],
    breaks: breaksIn(state.observations.values(), null),
    releases: [...state.releases.values()],
    workers: [...state.workers].map(([id, { state: word, heartbeatAtMs, leaseUntilMs }]) => ({
      id,
      state: word,
      heartbeatAtMs,
      leaseUntilMs,
    })),
    events: others,
    chain: { seq: head?.seq ?? 0, hash: head?.chainHash ?? null },
    idempotencyKeys: [...state.idempotencyKeys].map(([name, { answer }]) => ({ name, status: answer?.status ?? null })),
  };
}

function toSkip(skip: domain.StoredSkip): domain.StoredSkip {
  return {
    id: skip.id,
    gateRunId: skip.gateRunId,
    state: skip.state,
    requestedBy: skip.requestedBy,
    decidedBy: skip.decidedBy,
    decidedAtMs: skip.decidedAtMs,
    expiresAtMs: skip.expiresAtMs,
    baseReleaseId: skip.baseReleaseId,
    definitionHash: skip.definitionHash,
  };
}

function groupLate(state: MemoryState): Map<string, StoredOutcome[]> {
  const groups = new Map<string, StoredOutcome[]>();
  for (const one of state.lateOutcomes.values()) {
    groups.set(one.operationId, [...(groups.get(one.operationId) ?? []), one]);
  }
  return groups;
}

function toOutcome({ output: _apart, ...result }: domain.AttemptResult, isLate: boolean): domain.StoredOutcome {
  return { ...result, isLate };
}

function toAttempts(row: StoredPromotion, late: Map<string, StoredOutcome[]>): domain.StoredAttempt[] {
  return [...row.attempts.values()].map(({ result, ...intent }) => {
    const after = (late.get(intent.operationId) ?? []).map((one) => toOutcome(one.result, true));
    return { ...intent, outcomes: result === null ? after : [toOutcome(result, false), ...after] };
  });
}

function groupEvents(
  state: MemoryState,
  kept: EventCache,
): { ofPromotions: Map<PromotionId, domain.StoredEvent[]>; others: domain.StoredEvent[] } {
  const ofPromotions = new Map<PromotionId, domain.StoredEvent[]>();
  const others: domain.StoredEvent[] = [];
  for (const row of state.events.values()) {
    const event = toStoredEvent(row, kept);
    if (event.promotionId === null) others.push(event);
    else {
      const group = ofPromotions.get(event.promotionId);
      if (group) group.push(event);
      else ofPromotions.set(event.promotionId, [event]);
    }
  }
  for (const group of ofPromotions.values()) {
    group.sort((a, b) => (a.promotionSeq ?? 0) - (b.promotionSeq ?? 0));
  }
  return { ofPromotions, others };
}

function toStoredEvent(row: StoredEvent, kept: EventCache): domain.StoredEvent {
  const known = kept.get(row);
  if (known) return known;
  const stored = { ...row.event, seq: row.seq, chainHash: row.chainHash };
  kept.set(row, stored);
  return stored;
}
