/** Turns a draft into the decision that the store writes: what differs from the snapshot, and the chained events. */
import { chainEvents } from '../../audit/event.ts';
import { compareFences } from '../../locks/fence.ts';
import type { Attempt, Promotion } from '../promotion.ts';
import { isTerminal } from '../status.ts';
import type { Decision } from './decision.ts';
import type { Draft } from './draft.ts';

export function concludeDraft(draft: Draft, next: Pick<Promotion, 'workerId' | 'nextActionAtMs'>): Decision {
  const { snapshot } = draft;
  const position = { head: draft.promotion.chainHead, length: draft.promotion.chainLength };
  // Hashing is most of the work of a decision, and one that needs a guard is made again.
  const chained = chainEvents(position, draft.needsGuard ? [] : draft.events);
  const promotion: Promotion = {
    ...draft.promotion,
    ...next,
    chainHead: chained.position.head,
    chainLength: chained.position.length,
    version: snapshot.promotion.version + 1,
  };
  return {
    needsGuard: draft.needsGuard,
    promotion,
    steps: draft.steps.filter((run) => !snapshot.steps.includes(run)),
    gateRuns: draft.gateRuns.filter((run) => !snapshot.gateRuns.includes(run)),
    newAttempts: draft.newAttempts,
    settledAttempts: draft.settledAttempts,
    newApprovals: draft.newApprovals,
    skips: draft.skips.filter((skip) => !snapshot.skips.includes(skip)),
    debts: draft.debts.filter((debt) => !snapshot.debts.includes(debt)),
    takenLocks: draft.takenLocks,
    releasedLocks: draft.releasedLocks,
    lockFence: draft.lockFence,
    environment: draft.environment === snapshot.environment ? null : draft.environment,
    wakesEnvironment: draft.wakesEnvironment,
    wakesOlder: draft.wakesOlder,
    events: chained.events,
    effects: runnableAttempts(draft),
  };
}

/** Open attempts that nobody has acknowledged, unless they carry a fence older than the one that the promotion holds now. */
export function runnableAttempts(draft: Draft): Attempt[] {
  if (isTerminal(draft.promotion.status)) return [];
  const held = draft.locks[0]?.fence;
  return draft.attempts.filter((attempt) => {
    if (attempt.result !== null || attempt.acknowledgedAtMs !== null) return false;
    if (attempt.fence === null) return true;
    return held !== undefined && compareFences(attempt.fence, held) >= 0;
  });
}
