/**
 * A promotion claimed from a worker that did not give it back (safety L2, S4). When it holds locks, a new fence is drawn
 * and every target with an operation of unknown outcome is sealed with it: the seal answers what the target recorded,
 * and from then on the old worker's operation can change nothing there.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { Attempt, AttemptResult } from '../promotion.ts';
import { addEvent, attemptsFor, type Draft, openAttempt, requireGuard, settleAttempt } from './draft.ts';

/** A seal that cannot be had is tried so often before the operation is given up as unknown. */
const SEAL_ATTEMPTS_MAX = 3;

export function decideTakeover(draft: Draft): void {
  if (draft.context.isTakeover && !isPlanted('takeover.unseen')) {
    if (draft.locks.length > 0) {
      const guard = requireGuard(draft);
      if (!guard) return;
      draft.lockFence = guard.fence;
      draft.locks = draft.locks.map((lock) => ({ ...lock, fence: guard.fence }));
    }
    addEvent(draft, 'promotion.taken_over', { claimEpoch: draft.promotion.claimEpoch });
  }
  for (const operation of orphanedOperations(draft)) settleOrSeal(draft, operation);
}

/** Open operations at targets that carry an older fence than the lock: nobody will bring their answer. */
export function orphanedOperations(draft: Draft): Attempt[] {
  const fence = draft.locks[0]?.fence;
  if (!fence) return [];
  return draft.attempts.filter(
    (attempt) =>
      attempt.result === null &&
      (attempt.purpose === 'deploy' || attempt.purpose === 'rollback') &&
      attempt.fence !== null &&
      (attempt.fence.epoch < fence.epoch || (attempt.fence.epoch === fence.epoch && attempt.fence.n < fence.n)),
  );
}

function settleOrSeal(draft: Draft, operation: Attempt): void {
  const fence = draft.locks[0]?.fence;
  if (!fence) return;
  const seals = attemptsFor(draft, 'seal', operation.subject).filter(
    (seal) => seal.startedAtMs >= operation.startedAtMs && seal.fence?.n === fence.n,
  );
  const last = seals.at(-1);
  if (isPlanted('takeover.not_sealed')) {
    settleAttempt(draft, operation, unknownOutcome(draft, 'not asked'));
    return;
  }
  if (last && last.result === null) return;
  if (last?.result?.outcome === 'succeeded') {
    settleAttempt(draft, operation, lookedUp(draft, operation, last.result));
    return;
  }
  if (last?.result?.outcome === 'refused' || seals.length >= SEAL_ATTEMPTS_MAX) {
    const message = `outcome unknown after a takeover, and the seal did not answer: ${last?.result?.message ?? ''}`;
    settleAttempt(draft, operation, unknownOutcome(draft, message));
    return;
  }
  openAttempt(draft, {
    purpose: 'seal',
    subject: operation.subject,
    fence,
    timeoutMs: draft.snapshot.settings['probe.timeout'],
  });
}

function lookedUp(draft: Draft, operation: Attempt, seal: AttemptResult): AttemptResult {
  const isRecorded = seal.sealed?.operationId === operation.operationId && seal.sealed.outcome !== null;
  if (!isRecorded || !seal.sealed?.outcome) {
    return unknownOutcome(draft, 'the target has no result of it; it can change nothing there any more');
  }
  return {
    outcome: seal.sealed.outcome,
    code: seal.sealed.outcome === 'succeeded' ? '' : 'deploy.failed',
    message: 'looked up at the target after a takeover',
    output: '',
    digest: seal.digest,
    sealed: null,
    endedAtMs: draft.context.nowMs,
  };
}

function unknownOutcome(draft: Draft, message: string): AttemptResult {
  return {
    outcome: 'error',
    code: 'worker.claim_lost',
    message,
    output: '',
    digest: null,
    sealed: null,
    endedAtMs: draft.context.nowMs,
  };
}
