/**
 * What every single write must keep, said again in other words than the domain's own: fences (S2), one event per change
 * (S6), the right to deploy (S8, S9, S11), the next action (L1, L3). The store's constraints (S1, S5, S7) are in
 * `memory/memory-writes.ts`, what must hold between writes is in `state-rules.ts`.
 */
import {
  type Attempt,
  compareFences,
  type Decision,
  type Fence,
  formatFence,
  type GateDefinition,
  type GateRun,
  isTerminal,
  type PromotionSnapshot,
  type RoleBinding,
} from '@stella/domain';
import { checkEvents } from './event-rules.ts';
import { insist, liveLocksOf, type MemoryState, type WriteRecord } from '@stella/testkit';

/** Longest time without another look at a live promotion that waits for a machine or for its turn. */
const RECHECK_MS_MAX = 60_000;

export interface WriteRules {
  check(record: WriteRecord): void;
  /** A fence that went to the targets outside of a decision. */
  noteFence(environment: string, fence: Fence): void;
}

/** `isAudited`: every hash of every event is recomputed. */
export function makeWriteRules(state: MemoryState, isAudited: boolean): WriteRules {
  const highest = new Map<string, Fence>();
  const noteFence = (environment: string, fence: Fence): void => {
    const last = highest.get(environment);
    const isNewer = !last || compareFences(fence, last) > 0;
    insist('S2', isNewer, () => `${environment} got ${formatFence(fence)} after ${last ? formatFence(last) : ''}`);
    highest.set(environment, fence);
  };
  return {
    noteFence,
    check(record) {
      checkEvents(record, isAudited);
      checkFences(state, record, noteFence);
      checkNextAction(record);
      checkIntents(record);
    },
  };
}

/** All fences of one decision are the one drawn for it; only a seal uses the one that the locks have. */
function checkFences(state: MemoryState, { decision, context }: WriteRecord, note: WriteRules['noteFence']): void {
  const { promotion, takenLocks, lockFence, newAttempts } = decision;
  const operations = newAttempts.filter((one) => one.purpose === 'deploy' || one.purpose === 'rollback');
  const drawn = [
    ...takenLocks.map((lock) => lock.fence),
    ...(lockFence ? [lockFence] : []),
    ...operations.flatMap((one) => (one.fence ? [one.fence] : [])),
  ];
  insist(
    'S4',
    operations.every((one) => one.fence !== null),
    () => `${promotion.id} opened an operation without fence`,
  );
  for (const fence of drawn) {
    const isDrawn = context.guard !== null && compareFences(fence, context.guard.fence) === 0;
    insist('S2', isDrawn, () => `${promotion.id} used ${formatFence(fence)}, which was not drawn for it`);
  }
  if (drawn[0]) note(promotion.environment, drawn[0]);
  const held = liveLocksOf(state, promotion.id)[0]?.fence;
  for (const { purpose, fence } of newAttempts) {
    if (purpose !== 'seal') continue;
    const isOwn = held !== undefined && fence !== null && compareFences(fence, held) === 0;
    insist('S4', isOwn, () => `${promotion.id} seals with a fence that is not its lock's`);
  }
}

/** L1 and L3: it is looked at again in time for whatever it waits for, or somebody works on it. */
function checkNextAction({ kind, before, decision, context: { nowMs } }: WriteRecord): void {
  const { promotion, effects } = decision;
  if (isTerminal(promotion.status)) {
    insist('L1', effects.length === 0, () => `${promotion.id} is ${promotion.status} and has effects`);
    return;
  }
  const { nextActionAtMs, workerId, id } = promotion;
  const nextMs = nextActionAtMs ?? Number.POSITIVE_INFINITY;
  const isPatient = promotion.status === 'pending_approval' || promotion.status === 'scheduled';
  // Who waits for a person or a time is woken by them, and looks by itself at the next deadline, which must exist.
  const latestMs = isPatient ? Number.MAX_SAFE_INTEGER : nowMs + RECHECK_MS_MAX;
  insist('L1', nextMs <= latestMs, () => `${id} looks again in ${nextMs - nowMs} ms only`);
  if (kind !== 'ticked') {
    insist('L1', nextMs <= nowMs, () => `${id} is not due after a command`);
    return;
  }
  insist('L1', nextMs > nowMs, () => `${id} would be due again in the same moment for ever`);
  insist(
    'L1',
    (workerId !== null) === effects.length > 0,
    () => `${id} keeps worker ${workerId} for ${effects.length}`,
  );
  const missed = deadlinesOf(before, decision).filter((atMs) => atMs > nowMs && atMs < nextMs);
  insist('L3', missed.length === 0, () => `${id} sleeps ${nextMs - nowMs} ms, past a deadline in ${missed[0]} ms`);
}

/** The gate runs as they are after the write. */
function runsAfter(before: PromotionSnapshot | null, { gateRuns }: Decision): GateRun[] {
  const kept = (before?.gateRuns ?? []).filter((run) => gateRuns.every((one) => one.id !== run.id));
  return [...kept, ...gateRuns];
}

function deadlinesOf(before: PromotionSnapshot | null, decision: Decision): number[] {
  const { promotion, effects } = decision;
  const moments =
    promotion.step === 'evaluate_gates'
      ? runsAfter(before, decision).flatMap((run) =>
          run.verdict === null && run.state !== 'expired'
            ? [run.nextAttemptAtMs, run.deadlineAtMs, run.heldUntilMs, run.dueAtMs]
            : [],
        )
      : [];
  return [...moments.filter((atMs) => atMs !== null), ...effects.map((one) => one.deadlineAtMs)];
}

function checkIntents({ before, context, decision }: WriteRecord): void {
  const intents = decision.newAttempts.filter((one) => one.purpose === 'deploy');
  if (intents.length === 0) return;
  insist('S8', before !== null && context.guard !== null, () => `${decision.promotion.id} deploys without a guard`);
  const names = new Set(decision.promotion.definition.targets.map((target) => target.name));
  insist(
    'S8',
    intents.every((one) => names.has(one.subject)),
    () => `deploy to an unknown target`,
  );
  checkExclusion(before, decision);
  // A further attempt goes on with what was allowed; the first one of all needs the right.
  const isFirst = (one: Attempt): boolean => one.number === 1;
  insist('S8', intents.every(isFirst) || !intents.some(isFirst), () => `a target joins a deploy that is under way`);
  if (intents.every(isFirst)) checkRight(before, decision, context.nowMs);
}

function checkExclusion(before: PromotionSnapshot, { promotion, takenLocks, releasedLocks }: Decision): void {
  const locks = [...before.locks, ...takenLocks].filter((lock) => !releasedLocks.includes(lock.id));
  const has = (resource: string, mode: string): boolean =>
    locks.some((lock) => lock.resource === resource && lock.mode === mode);
  const isLocked = has(`environment:${promotion.environment}`, 'exclusive');
  insist('S1', isLocked, () => `${promotion.id} deploys without its environment's lock`);
  const isKept = before.release.components.every((one) => has(`artifact:${one.digest}`, 'shared'));
  insist('S1', isKept, () => `${promotion.id} deploys an artifact that it has not locked`);
}

/** S8, S9, S11 from the rows alone. */
function checkRight(before: PromotionSnapshot, decision: Decision, nowMs: number): void {
  const { environment, release, predecessors } = before;
  const { promotion } = decision;
  const { id } = promotion;
  insist('S11', environment.releaseNumber <= release.number, () => `${id} puts an older release over a newer one`);
  for (const name of promotion.definition.promotesFrom) {
    const hasCompleted = predecessors.some((one) => one.name === name && one.completedAtMs !== null);
    insist('S11', hasCompleted, () => `${id} deploys what never completed in ${name}`);
  }
  for (const gate of promotion.definition.gates) {
    const latest = runsAfter(before, decision)
      .filter((run) => run.gate === gate.name)
      .sort((a, b) => b.round - a.round)[0];
    insist('S8', latest?.verdict === 'passed', () => `${id} deploys though gate ${gate.name} is ${latest?.state}`);
    const isValid = latest.validUntilMs !== null && latest.validUntilMs > nowMs;
    insist('S8', isValid, () => `${id} deploys though the verdict of ${gate.name} has expired`);
    if (gate.kind === 'approval') checkApprovals(before, gate, latest.id);
  }
}

function checkApprovals(
  { promotion, approvals, environment }: PromotionSnapshot,
  gate: Extract<GateDefinition, { kind: 'approval' }>,
  runId: string,
): void {
  const by = promotion.requestedBy;
  const requester = by.kind === 'automation' ? by.personId : by.kind === 'person' ? by.id : null;
  const persons = approvals
    .filter((one) => one.gateRunId === runId && one.decision === 'approved')
    .filter((one) => one.personId !== requester && one.baseReleaseId === environment.releaseId)
    .filter((one) => mayApprove(one.bindingsNow, promotion.environment))
    .map((one) => one.personId);
  const count = new Set(persons).size;
  insist('S9', count >= gate.count, () => `${promotion.id} deploys with ${count} of ${gate.count} approvals`);
}

/** The simulation binds roles to whole names or to `*` only. */
function mayApprove(bindings: readonly RoleBinding[], environment: string): boolean {
  return bindings.some(
    ({ role, pattern }) => (role === 'approver' || role === 'admin') && (pattern === '*' || pattern === environment),
  );
}
