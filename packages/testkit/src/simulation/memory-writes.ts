/**
 * Writes a decision as the database would: in one piece, refusing what its constraints and triggers refuse (safety S1,
 * S5, S7, S17), with the wake-up of those that wait for the environment.
 */
import { type Attempt, AppError, type Decision, type GateRun, isTerminal, STATUS_TRANSITIONS } from '@stella/domain';
import { type MemoryState, rowOf, type StoredPromotion } from './memory-state.ts';
import { freezeDeeply, insist } from './safety-violation.ts';

/** A new promotion with its first attempts. Errors: `promotion.live_exists`. */
export function insertDecision(state: MemoryState, decision: Decision, nowMs: number): void {
  const { promotion } = decision;
  for (const { promotion: other } of state.promotions.values()) {
    const isSame = other.releaseId === promotion.releaseId && other.environment === promotion.environment;
    if (!isSame || isTerminal(other.status)) continue;
    const { environment, releaseId: release } = promotion;
    throw new AppError('promotion.live_exists', { details: { environment, release, promotionId: other.id } });
  }
  const row: StoredPromotion = {
    promotion: freezeDeeply(promotion),
    steps: new Map(),
    gateRuns: new Map(),
    attempts: new Map(),
    approvals: [],
    events: [],
    isLocked: false,
  };
  checkRow(decision);
  state.promotions.set(promotion.id, row);
  writeParts(state, row, decision, nowMs);
}

/** Changes of a promotion whose row the caller's transaction holds. */
export function writeDecision(state: MemoryState, decision: Decision, nowMs: number): void {
  const { promotion } = decision;
  const row = rowOf(state, promotion.id);
  const before = row.promotion;
  insist('S5', promotion.version === before.version + 1, () => `version ${promotion.version} after ${before.version}`);
  insist('S5', !isTerminal(before.status), () => `${before.id} is ${before.status} and was written again`);
  const isListed = promotion.status === before.status || STATUS_TRANSITIONS[before.status].includes(promotion.status);
  insist('S5', isListed, () => `${before.id} went from ${before.status} to ${promotion.status}`);
  checkRow(decision);
  row.promotion = freezeDeeply(promotion);
  writeParts(state, row, decision, nowMs);
}

/** The check constraints of the promotion's row. */
function checkRow({ promotion }: Decision): void {
  const { id, status, endedAtMs, nextActionAtMs, workerId, ticket } = promotion;
  insist('S5', isTerminal(status) === (endedAtMs !== null), () => `${id} is ${status} and ended at ${endedAtMs}`);
  insist('L1', (endedAtMs === null) === (nextActionAtMs !== null), () => `${id} is ${status}, next ${nextActionAtMs}`);
  const isLetGo = endedAtMs === null || (workerId === null && ticket === null);
  insist('S5', isLetGo, () => `${id} has ended with worker ${workerId} and ticket ${ticket}`);
}

function writeParts(state: MemoryState, row: StoredPromotion, decision: Decision, nowMs: number): void {
  freezeDeeply(decision);
  for (const step of decision.steps) row.steps.set(step.step, step);
  for (const run of decision.gateRuns) writeGateRun(row, run);
  for (const attempt of decision.newAttempts) insertAttempt(row, attempt);
  for (const { operationId, result } of decision.settledAttempts) {
    const attempt = row.attempts.get(operationId);
    insist('S17', attempt?.result === null, () => `${operationId} was settled although it has an outcome`);
    row.attempts.set(operationId, freezeDeeply({ ...attempt, result }));
  }
  for (const approval of decision.newApprovals) {
    const isRepeat = row.approvals.some(
      (one) => one.gateRunId === approval.gateRunId && one.personId === approval.personId,
    );
    insist('S9', !isRepeat, () => `${approval.subject} decided twice on ${approval.gateRunId}`);
    row.approvals.push(approval);
  }
  writeLocks(state, decision, nowMs);
  if (decision.environment) state.environments.set(decision.environment.name, decision.environment);
  if (decision.wakesEnvironment) wakeEnvironment(state, decision, nowMs);
  row.events.push(...decision.events);
}

function writeGateRun(row: StoredPromotion, run: GateRun): void {
  const before = row.gateRuns.get(run.id);
  if (before?.verdict) {
    const isKept =
      before.verdict === run.verdict &&
      before.verdictAtMs === run.verdictAtMs &&
      before.meaningHash === run.meaningHash;
    insist('S7', isKept, () => `the verdict of ${run.gate} went from ${before.verdict} to ${run.verdict}`);
  }
  for (const other of row.gateRuns.values()) {
    const isDouble = other.id !== run.id && other.gate === run.gate && other.round === run.round;
    insist('S7', !isDouble, () => `gate ${run.gate} has round ${run.round} twice`);
  }
  row.gateRuns.set(run.id, run);
}

function insertAttempt(row: StoredPromotion, attempt: Attempt): void {
  insist('S17', !row.attempts.has(attempt.operationId), () => `operation ${attempt.operationId} was made twice`);
  for (const other of row.attempts.values()) {
    const isDouble =
      other.purpose === attempt.purpose && other.subject === attempt.subject && other.number === attempt.number;
    insist('S17', !isDouble, () => `${attempt.purpose} of ${attempt.subject} has number ${attempt.number} twice`);
  }
  row.attempts.set(attempt.operationId, attempt);
}

function writeLocks(state: MemoryState, decision: Decision, nowMs: number): void {
  const { promotion, lockFence } = decision;
  for (const [id, lock] of state.locks) {
    if (lock.releasedAtMs !== null || lock.promotionId !== promotion.id) continue;
    const isReleased = decision.releasedLocks.includes(id);
    state.locks.set(
      id,
      freezeDeeply({ ...lock, fence: lockFence ?? lock.fence, releasedAtMs: isReleased ? nowMs : null }),
    );
  }
  for (const lock of decision.takenLocks) {
    for (const other of state.locks.values()) {
      const isExcluded =
        other.releasedAtMs === null &&
        other.resource === lock.resource &&
        (other.mode === 'exclusive' || lock.mode === 'exclusive');
      insist(
        'S1',
        !isExcluded,
        () => `${lock.resource} was taken by ${promotion.id} while ${other.promotionId} has it`,
      );
    }
    state.locks.set(lock.id, freezeDeeply({ ...lock, releasedAtMs: null }));
  }
}

/** Whoever waits in the environment is due now; rows that another transaction holds are skipped. */
function wakeEnvironment(state: MemoryState, { promotion: { id, environment } }: Decision, nowMs: number): void {
  for (const row of state.promotions.values()) {
    const other = row.promotion;
    const isWaiting =
      other.environment === environment &&
      other.id !== id &&
      other.workerId === null &&
      (other.step === 'evaluate_gates' || other.step === 'acquire_locks') &&
      (other.nextActionAtMs ?? 0) > nowMs;
    if (isWaiting && !isTerminal(other.status) && !row.isLocked) {
      row.promotion = freezeDeeply({ ...other, nextActionAtMs: nowMs, version: other.version + 1 });
    }
  }
}
