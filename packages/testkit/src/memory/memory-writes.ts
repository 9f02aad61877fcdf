/**
 * Writes a decision as the database would: in one piece, refusing what its constraints and triggers refuse (safety S1,
 * S5, S7, S17), with the wake-up of those that wait for the environment.
 */
import {
  isPlanted,
  AppError,
  type Approval,
  type Attempt,
  type AttemptResult,
  type ChainedEvent,
  type Decision,
  type GateDebt,
  type GateRun,
  type GateRunId,
  isTerminal,
  type Promotion,
  type PromotionId,
  type Skip,
  SKIP_TRANSITIONS,
  type SkipId,
  STATUS_TRANSITIONS,
  type Step,
  type StepRun,
  STEPS,
} from '@stella/domain';
import { freezeDeeply } from '../simulation/safety-violation.ts';
import { demand } from './database-refusal.ts';
import { oweSkipped, wakeRows } from './memory-wakes.ts';
import { debtKey, type StoredApproval, type StoredPromotion, type StoredSkip } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';

/** Who writes: a person's command, or a worker's tick, which ends all doubt whether the promotion can be moved. */
export type Writer = 'person' | 'worker';

/**
 * Unique indexes, and rows of debts, that a write of the decision touches: locked before, as PostgreSQL waits for others
 * in between.
 */
export function indexKeysOf(tx: MemoryTransaction, { takenLocks, releasedLocks, debts }: Decision): readonly string[] {
  const released = releasedLocks.flatMap((id) => tx.get(tx.state.locks, id) ?? []);
  const exclusive = [...takenLocks, ...released].filter((lock) => lock.mode === 'exclusive');
  return [
    ...exclusive.map((lock) => `locks_exclusive ${lock.resource}`),
    ...debts.filter((debt) => debt.state !== 'open').map((debt) => debtKey(debt.id)),
  ];
}

/** The unique index of live promotions, where a new one is inserted. */
export function liveKeyOf({ promotion }: Decision): string {
  return `promotions_live ${promotion.releaseId} ${promotion.environment}`;
}

/** A new promotion with its first attempts. Errors: `promotion.live_exists`. */
export function insertDecision(tx: MemoryTransaction, decision: Decision): void {
  const { promotion } = decision;
  const { state } = tx;
  for (const { promotion: other } of tx.rows(state.promotions)) {
    const isSame = other.releaseId === promotion.releaseId && other.environment === promotion.environment;
    if (!isSame || isTerminal(other.status)) continue;
    const { environment, releaseId: release } = promotion;
    throw new AppError('promotion.live_exists', { details: { environment, release, promotionId: other.id } });
  }
  const isKnown = tx.get(state.releases, promotion.releaseId) !== undefined;
  const reason = { sqlState: '23503', constraint: 'promotions_release_id_fkey' };
  demand(isKnown, reason, () => `no release ${promotion.releaseId}`);
  checkRow(promotion);
  const empty: StoredPromotion = {
    promotion: { ...promotion, setAside: null },
    claimFailureCount: 0,
    steps: new Map(),
    gateRuns: new Map(),
    attempts: new Map(),
    approvals: [],
    skips: new Map(),
    events: [],
  };
  writeParts(tx, empty, decision);
}

/** Changes of a promotion whose row the transaction holds. Errors: `promotion.version`. */
export function writeDecision(tx: MemoryTransaction, decision: Decision, by: Writer): void {
  const { promotion } = decision;
  const row = tx.get(tx.state.promotions, promotion.id);
  if (row?.promotion.version !== promotion.version - 1) {
    throw new AppError('promotion.version', { details: { promotionId: promotion.id } });
  }
  checkChange(row.promotion, promotion);
  const kept = by === 'worker' ? { setAside: null, count: 0 } : { ...row.promotion, count: row.claimFailureCount };
  writeParts(
    tx,
    { ...row, promotion: { ...promotion, setAside: kept.setAside }, claimFailureCount: kept.count },
    decision,
  );
}

/** The trigger on promotions, and their check constraints. */
export function checkChange(before: Promotion, after: Promotion): void {
  const reason = { sqlState: 'ST001', property: 'S5' };
  const isNext = after.version === before.version + 1;
  demand(isNext, reason, () => `promotion ${before.id}: version ${after.version} after ${before.version}`);
  const isListed = after.status === before.status || STATUS_TRANSITIONS[before.status].includes(after.status);
  demand(isListed, reason, () => `promotion ${before.id}: status ${after.status} after ${before.status}`);
  const isLive = before.endedAtMs === null;
  demand(isLive, reason, () => `promotion ${before.id} has ended and never changes`);
  checkRow(after);
}

function checkRow(promotion: Promotion): void {
  const { id, status, endedAtMs, nextActionAtMs, workerId, ticket, step, preflightRevision } = promotion;
  const check = (isRight: boolean, property: string, message: () => string): void =>
    demand(isRight, { sqlState: '23514', property }, message);
  const isEndKept = isTerminal(status) === (endedAtMs !== null);
  check(isEndKept, 'S5', () => `${id} is ${status} and ended at ${endedAtMs}`);
  const isScheduled = (endedAtMs === null) === (nextActionAtMs !== null);
  check(isScheduled, 'L1', () => `${id} is ${status}, next ${nextActionAtMs}`);
  const isLetGo = endedAtMs === null || (workerId === null && ticket === null);
  check(isLetGo, 'S5', () => `${id} has ended with worker ${workerId} and ticket ${ticket}`);
  const isPreflight = preflightRevision === null || (endedAtMs === null && step === 'preflight');
  check(isPreflight, 'S5', () => `${id} is in ${step} with a preflight without locks`);
}

function writeParts(tx: MemoryTransaction, row: StoredPromotion, decision: Decision): void {
  const { state } = tx;
  const { promotion } = decision;
  if (state.isFrozen) freezeDeeply(decision);
  const at = decision.events[0]?.atMs ?? promotion.lastProgressAtMs;
  tx.put(state.promotions, promotion.id, {
    ...row,
    steps: withSteps(row.steps, decision.steps),
    gateRuns: withGateRuns(row.gateRuns, decision.gateRuns),
    attempts: withAttempts(row.attempts, decision),
    approvals: withApprovals(row.approvals, decision),
    skips: withSkips(row.skips, decision.skips),
    events: decision.events.length > 0 ? [...row.events, ...decision.events] : row.events,
  });
  for (const debt of decision.debts) writeDebt(tx, debt);
  writeLocks(tx, decision, at);
  if (decision.environment) tx.put(state.environments, decision.environment.name, decision.environment);
  if (decision.wakesOlder) wakeOlder(tx, promotion, at);
  else if (decision.wakesEnvironment) wakeEnvironment(tx, promotion, at);
  insertEvents(tx, decision.events);
}

function withSteps(before: ReadonlyMap<Step, StepRun>, changed: readonly StepRun[]): ReadonlyMap<Step, StepRun> {
  if (changed.length === 0) return before;
  const steps = new Map(before);
  for (const run of changed) steps.set(run.step, run);
  return steps;
}

function withGateRuns(
  before: ReadonlyMap<GateRunId, GateRun>,
  changed: readonly GateRun[],
): ReadonlyMap<GateRunId, GateRun> {
  if (changed.length === 0) return before;
  const runs = new Map(before);
  for (const run of changed) {
    checkGateRun(runs, run);
    runs.set(run.id, run);
  }
  return runs;
}

function checkGateRun(runs: ReadonlyMap<GateRunId, GateRun>, run: GateRun): void {
  const before = runs.get(run.id);
  if (before?.verdict) {
    const isKept =
      before.verdict === run.verdict &&
      before.verdictAtMs === run.verdictAtMs &&
      before.meaningHash === run.meaningHash;
    const message = (): string => `the verdict of ${run.gate} went from ${before.verdict} to ${run.verdict}`;
    demand(isKept, { sqlState: 'ST001', property: 'S7' }, message);
  }
  const isTimed = (run.verdict === null) === (run.verdictAtMs === null);
  demand(isTimed, { sqlState: '23514', property: 'S7' }, () => `the verdict of ${run.gate} has no time`);
  for (const other of runs.values()) {
    const isDouble = other.id !== run.id && other.gate === run.gate && other.round === run.round;
    const reason = { sqlState: '23505', constraint: 'gate_runs_promotion_id_gate_round_key', property: 'S7' };
    demand(!isDouble, reason, () => `gate ${run.gate} has round ${run.round} twice`);
  }
}

function withAttempts(
  before: ReadonlyMap<string, Attempt>,
  { newAttempts, settledAttempts }: Decision,
): ReadonlyMap<string, Attempt> {
  if (newAttempts.length === 0 && settledAttempts.length === 0) return before;
  const attempts = new Map(before);
  for (const attempt of newAttempts) {
    checkNewAttempt(attempts, attempt);
    attempts.set(attempt.operationId, attempt);
  }
  for (const { operationId, result } of settledAttempts) {
    const attempt = attempts.get(operationId);
    const reason = { sqlState: '23505', constraint: 'attempt_outcomes_counting', property: 'S17' };
    demand(attempt?.result === null, reason, () => `${operationId} was settled although it has an outcome`);
    attempts.set(operationId, { ...attempt, result: withoutOutput(result) });
  }
  return attempts;
}

/** Captured output is kept apart, and never decided by. */
export function withoutOutput(result: AttemptResult): AttemptResult {
  return result.output === '' ? result : { ...result, output: '' };
}

function checkNewAttempt(attempts: ReadonlyMap<string, Attempt>, attempt: Attempt): void {
  const { operationId, purpose, subject, number } = attempt;
  const isNew = !attempts.has(operationId);
  const reason = { sqlState: '23505', constraint: 'attempts_pkey', property: 'S17' };
  demand(isNew, reason, () => `operation ${operationId} was made twice`);
  for (const other of attempts.values()) {
    const isDouble = other.purpose === purpose && other.subject === subject && other.number === number;
    const again = { ...reason, constraint: 'attempts_promotion_id_purpose_subject_number_key' };
    demand(!isDouble, again, () => `${purpose} of ${subject} has number ${number} twice`);
  }
}

function withApprovals(
  before: readonly StoredApproval[],
  { newApprovals }: Pick<Decision, 'newApprovals'>,
): readonly StoredApproval[] {
  if (newApprovals.length === 0) return before;
  const approvals = [...before];
  for (const { bindingsNow: _rightsOfThen, subject, ...approval } of newApprovals) {
    const isRepeat = approvals.some(
      (one) => one.gateRunId === approval.gateRunId && one.personId === approval.personId,
    );
    const reason = { sqlState: '23505', constraint: 'approvals_gate_run_id_person_id_key', property: 'S9' };
    demand(!isRepeat, reason, () => `${subject} decided twice on ${approval.gateRunId}`);
    approvals.push(approval);
  }
  return approvals;
}

/** Of an ended promotion, whose own row stays as it is. */
export function writeApproval(tx: MemoryTransaction, id: PromotionId, approval: Approval): void {
  const row = tx.get(tx.state.promotions, id);
  if (row)
    tx.put(tx.state.promotions, id, { ...row, approvals: withApprovals(row.approvals, { newApprovals: [approval] }) });
}

function withSkips(before: ReadonlyMap<SkipId, StoredSkip>, changed: readonly Skip[]): ReadonlyMap<SkipId, StoredSkip> {
  if (changed.length === 0) return before;
  const skips = new Map(before);
  for (const { requesterSubject: _asker, deciderSubject: _decider, deciderBindingsNow: _then, ...skip } of changed) {
    checkSkip(skips, skip);
    skips.set(skip.id, skip);
  }
  return skips;
}

/** The trigger on skips, their check constraints, and the unique index of open ones. */
function checkSkip(skips: ReadonlyMap<SkipId, StoredSkip>, skip: StoredSkip): void {
  const { id, gate, state, decidedBy, requestedBy, expiresAtMs, endedAtMs } = skip;
  const before = skips.get(id);
  const isListed = !before || before.state === state || SKIP_TRANSITIONS[before.state].includes(state);
  const reason = { sqlState: 'ST001', property: 'S8' };
  demand(isListed, reason, () => `skip ${id}: state ${state} after ${before?.state}`);
  demand(before?.endedAtMs === null || !before, reason, () => `skip ${id} has ended and never changes`);
  const check = (isRight: boolean): void =>
    demand(isRight, { sqlState: '23514', property: 'S8' }, () => `skip ${id} is ${state}, its row says otherwise`);
  check((decidedBy === null) === (skip.decidedAtMs === null));
  check(expiresAtMs === null || (decidedBy !== null && decidedBy !== requestedBy) || state === 'rejected');
  check((state !== 'approved' && state !== 'used') || expiresAtMs !== null);
  check((state === 'requested' || state === 'approved') === (endedAtMs === null));
  for (const other of skips.values()) {
    const isDouble = other.id !== id && other.gate === gate && other.endedAtMs === null && endedAtMs === null;
    const again = { sqlState: '23505', constraint: 'skips_open', property: 'S8' };
    demand(!isDouble, again, () => `gate ${gate} has two open skips`);
  }
}

/** Whoever writes holds the row of the debt's environment. */
export function writeDebt(tx: MemoryTransaction, debt: GateDebt): void {
  const { debts } = tx.state;
  const isOpen = (tx.get(debts, debt.id)?.state ?? 'open') === 'open';
  demand(isOpen, { sqlState: 'ST001' }, () => `debt ${debt.id} is closed and never changes`);
  const isDue = (debt.state === 'open') === (debt.dueAtMs !== null);
  demand(isDue, { sqlState: '23514', property: 'L1' }, () => `debt ${debt.id} is ${debt.state}, due ${debt.dueAtMs}`);
  tx.put(debts, debt.id, debt);
}

function writeLocks(tx: MemoryTransaction, decision: Decision, releasedAtMs: number): void {
  const { promotion, lockFence, releasedLocks, takenLocks } = decision;
  const { locks } = tx.state;
  if (lockFence || releasedLocks.length > 0) {
    for (const lock of tx.rows(locks)) {
      if (lock.releasedAtMs !== null) continue;
      // A lock that is released now keeps the fence under which it was held.
      if (releasedLocks.includes(lock.id)) tx.put(locks, lock.id, { ...lock, releasedAtMs });
      else if (lockFence && lock.promotionId === promotion.id) tx.put(locks, lock.id, { ...lock, fence: lockFence });
    }
  }
  for (const lock of takenLocks) {
    if (lock.mode === 'exclusive') checkExclusive(tx, lock);
    tx.put(locks, lock.id, { ...lock, promotionId: promotion.id, releasedAtMs: null });
  }
}

function checkExclusive(tx: MemoryTransaction, lock: Decision['takenLocks'][number]): void {
  for (const other of tx.rows(tx.state.locks)) {
    const isHeld = other.releasedAtMs === null && other.mode === 'exclusive' && other.resource === lock.resource;
    const reason = { sqlState: '23505', constraint: 'locks_exclusive', property: 'S1' };
    demand(!isHeld, reason, () => `${lock.resource} was taken by ${lock.promotionId}, ${other.promotionId} has it`);
    const isExcluded = other.releasedAtMs === null && other.promotionId !== lock.promotionId && isAbove(other, lock);
    const above = { sqlState: 'ST001', property: 'S1' };
    demand(!isExcluded, above, () => `lock ${lock.resource}: its place is held by another promotion`);
  }
}

/** Whole environments lie above their components: the trigger on locks. */
function isAbove(one: { readonly resource: string }, other: { readonly resource: string }): boolean {
  return one.resource.startsWith(`${other.resource}/`) || other.resource.startsWith(`${one.resource}/`);
}

function wakeEnvironment(tx: MemoryTransaction, { id, environment }: Promotion, atMs: number): void {
  if (isPlanted('wake.not_written')) return;
  wakeWaiting(tx, environment, atMs, { waker: id, wakesClaimed: false });
  wakeRows(tx, atMs, ({ promotion: other, gateRuns }) => {
    const isAsleep = other.id !== id && other.workerId === null && other.endedAtMs === null;
    const isAtGates = other.step === 'evaluate_gates';
    return (
      isAsleep &&
      isAtGates &&
      [...gateRuns.values()].some((run) => run.kind === 'dependency' && run.state === 'waiting')
    );
  });
}

/** Whoever waits in the environment is due now; rows that another transaction holds are woken after the commit. */
export function wakeWaiting(
  tx: MemoryTransaction,
  environment: string,
  atMs: number,
  { waker, wakesClaimed }: { readonly waker: PromotionId | null; readonly wakesClaimed: boolean },
): void {
  const isWaiting = ({ promotion: other }: StoredPromotion): boolean => {
    const isThere = other.environment === environment && other.id !== waker;
    const isAsleep = wakesClaimed || other.workerId === null;
    return isThere && isAsleep && (other.step === 'evaluate_gates' || other.step === 'acquire_locks');
  };
  wakeRows(tx, atMs, isWaiting);
  oweSkipped(tx, atMs, isWaiting);
}

/** `queue: latest`: who has not begun to deploy there is due now, also when a worker has it. */
function wakeOlder(tx: MemoryTransaction, { id, environment }: Promotion, atMs: number): void {
  wakeRows(tx, atMs, ({ promotion: other }) => {
    const isOther = other.environment === environment && other.id !== id && other.setAside === null;
    return isOther && STEPS.indexOf(other.step) < STEPS.indexOf('deploy');
  });
}

/** Their ids are given now, whatever becomes of the transaction. */
export function insertEvents(tx: MemoryTransaction, events: readonly ChainedEvent[]): void {
  const { state } = tx;
  for (const event of events) {
    state.lastEventId += 1;
    const row = { id: state.lastEventId, event, seq: null, chainHash: null };
    if (isPlanted('event.elsewhere')) state.events.set(row.id, row);
    else tx.put(state.events, row.id, row);
    tx.put(state.unsequenced, row.id, row);
  }
}
