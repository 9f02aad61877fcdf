/**
 * What every single write must keep, said again in other words than the domain's own: fences (S2), one event per change
 * (S6), the right to deploy (S8, S9, S11), the next action (L1, L3). The store's constraints (S1, S5, S7) are in
 * `memory/memory-writes.ts`, what must hold between writes is in `state-rules.ts`.
 */
import {
  type Attempt,
  baseIdOf,
  batchesOf,
  compareFences,
  type ComponentStatus,
  type Decision,
  type Fence,
  formatFence,
  type GateDefinition,
  type GateRun,
  isTerminal,
  lookAtWindow,
  partsFor,
  priorityRank,
  promisedDigestOf,
  type Promotion,
  type PromotionSnapshot,
  type RoleBinding,
  type Skip,
  targetsOf,
} from '@stella/domain';
import { checkEvents } from './event-rules.ts';
import type { WriteRecord } from '../memory/memory-session.ts';
import { liveLocksOf } from '../memory/memory-reads.ts';
import type { MemoryState } from '../memory/memory-state.ts';
import { insist, insistSame } from './safety-violation.ts';

/** Longest time without another look at a live promotion that waits for a machine or for its turn. */
const RECHECK_MS_MAX = 60_000;
/** One that sleeps with `queue: latest`. */
const REPLACED_RECHECK_MS_MAX = 600_000;

export interface WriteRules {
  check(record: WriteRecord): void;
  /** A fence that went to the targets outside of a decision. */
  noteFence(environment: string, fence: Fence): void;
}

/** `isAudited`: every hash of every event is recomputed, which takes time. */
export function makeWriteRules(state: MemoryState, isAudited = true): WriteRules {
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
      checkOrder(record);
      checkReplaced(record);
      checkSkips(record);
      checkIntents(record);
      checkStop(record);
      checkOthers(record);
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

/** Nobody takes the lock while another one's turn is first: a higher priority, or the same and an older ticket. */
function checkOrder({ before, decision: { promotion, takenLocks }, context: { guard } }: WriteRecord): void {
  if (takenLocks.length === 0) return;
  const ticket = before?.promotion.ticket ?? Number.POSITIVE_INFINITY;
  const passed = (guard?.waiters ?? []).filter((one) => {
    const isInTheWay = one.components.some((name) => before && hasComponent(before.release, name));
    if (before?.environment.concurrency === 'per_component' && !isInTheWay) return false;
    const rank = priorityRank(one.priority) - priorityRank(promotion.priority);
    return rank < 0 || (rank === 0 && one.ticket < ticket);
  });
  insist('L4', passed.length === 0, () => `${promotion.id} went before ${passed.map((one) => one.promotionId).join()}`);
}

/** `queue: latest`: nobody goes on before the deploy when a newer one takes its place, and nobody is replaced without one. */
function checkReplaced({ kind, before, decision: { promotion } }: WriteRecord): void {
  const replacement = before?.replacement ?? null;
  const isReplaced = promotion.ending?.code === 'promotion.replaced';
  insist('queue', !isReplaced || replacement !== null, () => `${promotion.id} made way for nobody`);
  if (kind !== 'ticked' || !replacement) return;
  insist('queue', isTerminal(promotion.status), () => `${promotion.id} goes on beside ${replacement.promotionId}`);
}

/** S8: a skip that has expired is gone as soon as anybody looks at its promotion. */
function checkSkips({ kind, before, decision, context: { nowMs } }: WriteRecord): void {
  if (kind !== 'ticked') return;
  const kept = skipsAfter(before, decision).filter(
    (one) => one.state === 'approved' && (one.expiresAtMs ?? 0) <= nowMs,
  );
  insist('S8', kept.length === 0, () => `${kept.map((one) => one.id).join()} stands though it has expired`);
}

/** S2: what a target holds and the database does not know stops its environment, and nothing is sent there until it is cured. */
function checkStop({ before, context, decision }: WriteRecord): void {
  if (!before) return;
  const { stop, name } = before.environment;
  const [found] = context.unknownHoldings ?? [];
  const isStopped = (decision.environment ?? before.environment).stop !== null;
  insist('S2', !found || isStopped, () => `${name} goes on, though ${found?.target} is ahead of the database`);
  const isSending = decision.newAttempts.some((one) => one.purpose === 'deploy');
  insist('S2', stop === null || !isSending, () => `${decision.promotion.id} deploys to ${name}, which is stopped`);
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
  const isPatient = ['pending_approval', 'scheduled'].includes(promotion.status);
  // Who waits for a person or a time is woken by them, and looks by itself at the next deadline, which must exist; and
  // now and then for a newer one that takes its place, which could not wake it while its row was held.
  const patientMs = promotion.definition.queue === 'fifo' ? Number.MAX_SAFE_INTEGER : REPLACED_RECHECK_MS_MAX;
  const latestMs = nowMs + (isPatient ? patientMs : RECHECK_MS_MAX);
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
          run.verdict === null && run.state !== 'skipped' && run.state !== 'expired'
            ? [run.nextAttemptAtMs, run.deadlineAtMs, run.heldUntilMs, run.dueAtMs]
            : [],
        )
      : [];
  const expiries = skipsAfter(before, decision).map((one) => (one.state === 'approved' ? one.expiresAtMs : null));
  return [...moments, ...expiries, ...effects.map((one) => one.deadlineAtMs)].filter((atMs) => atMs !== null);
}

function skipsAfter(before: PromotionSnapshot | null, { skips }: Decision): Skip[] {
  return [...(before?.skips ?? []).filter((one) => skips.every((other) => other.id !== one.id)), ...skips];
}

/**
 * S10: what runs of components that the release does not carry stays what it is, as the rule has read it. By the time of
 * this check the row is committed, so it is compared with what was read and not with the store; that the read was fresh is
 * asked by `S10.environment` and by what the targets hold.
 */
function checkOthers({ before, decision: { promotion, environment } }: WriteRecord): void {
  if (!before || environment?.concurrency !== 'per_component') return;
  const others = (rows: readonly ComponentStatus[]): readonly ComponentStatus[] =>
    rows.filter((one) => !hasComponent(before.release, one.component));
  const say = (): string => `${promotion.id} changes what is none of its business in ${environment.name}`;
  insistSame('S10', others(environment.components), others(before.environment.components), say);
}

function checkIntents({ before, context, decision }: WriteRecord): void {
  const intents = decision.newAttempts.filter((one) => one.purpose === 'deploy');
  if (intents.length === 0) return;
  insist('S8', before !== null && context.guard !== null, () => `${decision.promotion.id} deploys without a guard`);
  const names = new Set(
    decision.promotion.definition.targets
      .filter((target) => before && partsFor(target, before.release) !== null)
      .map((target) => target.name),
  );
  insist(
    'S8',
    intents.every((one) => names.has(one.subject)),
    () => `deploy to an unknown target`,
  );
  checkExclusion(before, decision);
  // What follows goes on with what was allowed; who comes to the deploy needs the right.
  if (before.promotion.step !== 'deploy') checkRight(before, decision, context.nowMs);
  checkBatches(before, decision, intents);
  if (decision.takenLocks.length > 0) checkUnchanged(before);
}

/** No target of a batch is touched before every one of the batch before it was verified; no more at once than may be. */
function checkBatches(
  { promotion, release, attempts, settings }: PromotionSnapshot,
  { settledAttempts }: Decision,
  intents: readonly Attempt[],
): void {
  const names = targetsOf(promotion, release).map((target) => target.name);
  const digests = new Map(
    targetsOf(promotion, release).map((target) => [target.name, promisedDigestOf(target, release)]),
  );
  const isVerified = (name: string): boolean =>
    attempts.some(
      ({ purpose, subject, result }) =>
        purpose === 'batch_verify' &&
        subject === name &&
        result?.outcome === 'succeeded' &&
        result.digest === digests.get(name),
    );
  for (const { number, targets } of batchesOf(promotion.definition, names)) {
    const touched = intents.find((one) => targets.includes(one.subject));
    const before = batchesOf(promotion.definition, names)[number - 2]?.targets ?? [];
    const isRight = !touched || before.every(isVerified);
    insist('S19', isRight, () => `${touched?.operationId} began before batch ${number - 1} was verified`);
  }
  const { strategy } = promotion.definition;
  const isPastCanary =
    strategy?.kind === 'canary' &&
    names.some((name) => strategy.targets.includes(name)) &&
    intents.some(({ subject }) => !strategy.targets.includes(subject));
  const saidYes = attempts.some(({ purpose, result }) => purpose === 'judge' && result?.outcome === 'passed');
  insist('S19', !isPastCanary || saidYes, () => `${promotion.id} went on from its canary without a yes`);
  // What was looked up in this very decision is open no more.
  const settled = new Set(settledAttempts.map((one) => one.operationId));
  const openCount = attempts.filter(
    (one) => one.result === null && one.purpose === 'deploy' && !settled.has(one.operationId),
  ).length;
  const isBounded = openCount + intents.length <= settings['limits.targetsAtOnce'];
  insist('limits', isBounded, () => `${promotion.id} deploys to ${openCount + intents.length} targets at once`);
}

function checkExclusion(before: PromotionSnapshot, { promotion, takenLocks, releasedLocks }: Decision): void {
  const locks = [...before.locks, ...takenLocks].filter((lock) => !releasedLocks.includes(lock.id));
  const has = (resource: string, mode: string): boolean =>
    locks.some((lock) => lock.resource === resource && lock.mode === mode);
  const { concurrency, name } = before.environment;
  const isLocked =
    concurrency === 'exclusive'
      ? has(`environment:${name}`, 'exclusive')
      : before.release.components.every((one) => has(`environment:${name}/${one.name}`, 'exclusive'));
  insist('S1', isLocked, () => `${promotion.id} deploys without its environment's lock`);
  const isKept = before.release.components.every((one) => has(`artifact:${one.digest}`, 'shared'));
  insist('S1', isKept, () => `${promotion.id} deploys an artifact that it has not locked`);
}

/** Locks that are taken after the preflight: nothing has changed since it began. */
function checkUnchanged({ promotion, environment, release }: PromotionSnapshot): void {
  const isSame =
    promotion.preflightRevision === environment.policyRevision &&
    promotion.baseReleaseId === baseIdOf(environment, release);
  insist('S8', isSame, () => `${promotion.id} deploys though ${environment.name} has changed since its preflight`);
}

/** S8, S9, S11 from the rows alone. */
function checkRight(before: PromotionSnapshot, decision: Decision, nowMs: number): void {
  const { environment, release, predecessors } = before;
  const { promotion } = decision;
  const { id } = promotion;
  const numbers = environment.components
    .filter((one) => release.components.some(({ name }) => name === one.component))
    .map((one) => one.releaseNumber);
  const isNewest = numbers.every((number) => number <= release.number);
  insist('S11', isNewest || promotion.kind !== 'promote', () => `${id} puts an older release over a newer one`);
  const targets = promotion.definition.targets.filter((one) => partsFor(one, release) !== null);
  const isWhole = environment.concurrency === 'per_component' || targets.length === promotion.definition.targets.length;
  insist('S8', isWhole, () => `${id} deploys only some components at once`);
  for (const name of promotion.kind === 'rollback' || promotion.isForced ? [] : promotion.definition.promotesFrom) {
    const hasCompleted = predecessors.some((one) => one.name === name && one.completedAtMs !== null);
    insist('S11', hasCompleted, () => `${id} deploys what never completed in ${name}`);
  }
  checkFreeze(before, decision, nowMs);
  for (const gate of promotion.definition.gates.filter((one) => isWanted(promotion, one))) {
    const latest = runsAfter(before, decision)
      .filter((run) => run.gate === gate.name)
      .sort((a, b) => b.round - a.round)[0];
    if (latest?.state === 'skipped') {
      checkSkip(before, decision, { gate, run: latest, nowMs });
      continue;
    }
    insist('S8', latest?.verdict === 'passed', () => `${id} deploys though gate ${gate.name} is ${latest?.state}`);
    const isValid = latest.validUntilMs !== null && latest.validUntilMs > nowMs;
    insist('S8', isValid, () => `${id} deploys though the verdict of ${gate.name} has expired`);
    if (gate.kind === 'window') {
      const { isOpen, message } = lookAtWindow(gate, environment, nowMs);
      insist('S8', isOpen, () => `${id} deploys though the window ${gate.name} is closed: ${message}`);
    }
    if (gate.kind === 'approval') checkApprovals(before, gate, latest.id);
  }
}

/** Rollbacks pass persons and windows, and what says so; a forced deploy does not soak where it never was. */
function isWanted({ kind, isForced }: Promotion, gate: GateDefinition): boolean {
  if (kind === 'rollback') return gate.kind === 'approval' || gate.kind === 'window' || gate.onRollback === 'ask';
  return !isForced || gate.kind !== 'soak';
}

/** Nothing begins while the environment is frozen, unless two persons have stepped around it since. */
function checkFreeze(before: PromotionSnapshot, decision: Decision, nowMs: number): void {
  const { freeze, plannedFreezes, name } = before.environment;
  const isOwn = freeze !== null && freeze.endedAtMs === null && (freeze.untilMs === null || nowMs < freeze.untilMs);
  // The simulation plans them in UTC only.
  const planned = plannedFreezes
    .filter((one) => one.zone === 'UTC')
    .map((one) => ({ atMs: Date.parse(`${one.from}Z`), untilMs: Date.parse(`${one.to}Z`), reason: one.reason }))
    .filter((one) => one.atMs <= nowMs && nowMs < one.untilMs);
  const inForce = [...(isOwn ? [freeze] : []), ...planned];
  if (inForce.length === 0) return;
  const sinceMs = Math.min(...inForce.map((one) => one.atMs));
  const isPassed = runsAfter(before, decision).some(
    (run) =>
      run.kind === 'window' &&
      run.state === 'skipped' &&
      before.skips.some((skip) => skip.gateRunId === run.id && (skip.decidedAtMs ?? 0) >= sinceMs),
  );
  const reasons = inForce.map((one) => one.reason).join(', ');
  insist('S8', isPassed, () => `${decision.promotion.id} deploys though ${name} is frozen: ${reasons}`);
}

interface SkippedGate {
  readonly gate: GateDefinition;
  readonly run: GateRun;
  readonly nowMs: number;
}

/** Two persons, in time, for this base, and used up by this very write. */
function checkSkip(before: PromotionSnapshot, decision: Decision, { gate, run, nowMs }: SkippedGate): void {
  const { id, environment, definitionHash } = decision.promotion;
  const say = (what: string) => (): string => `${id} deploys past gate ${gate.name}: ${what}`;
  const isForbidden = gate.skip === 'forbidden' || (gate.kind === 'approval' && gate.skip !== 'allowed');
  insist('S8', !isForbidden, say('it may not be skipped'));
  const used = skipsAfter(before, decision).filter((one) => one.gateRunId === run.id && one.state === 'used');
  insist('S8', used.length === 1, say(`${used.length} skips were used`));
  const [skip] = used;
  const was = before.skips.find((one) => one.id === skip?.id);
  if (!skip || !was) return;
  insist('S8', was.state === 'approved' && was.gate === gate.name, say(`the skip was ${was.state}`));
  insist('S8', was.expiresAtMs !== null && nowMs < was.expiresAtMs, say('the skip had expired'));
  const isBound =
    was.baseReleaseId === baseIdOf(before.environment, before.release) && was.definitionHash === definitionHash;
  insist('S8', isBound, say('the skip was for another base or definition'));
  const isSecond = was.decidedBy !== null && was.decidedBy !== was.requestedBy && was.decidedBy !== requesterOf(before);
  insist('S8', isSecond, say('no second person approved the skip'));
  insist('S8', mayApprove(was.deciderBindingsNow, environment), say('who approved the skip may not any more'));
}

function requesterOf({ promotion: { requestedBy: by } }: PromotionSnapshot): string | null {
  return by.kind === 'automation' ? by.personId : by.kind === 'person' ? by.id : null;
}

function checkApprovals(
  before: PromotionSnapshot,
  gate: Extract<GateDefinition, { kind: 'approval' }>,
  runId: string,
): void {
  const { promotion, approvals, environment } = before;
  const requester = requesterOf(before);
  const persons = approvals
    .filter((one) => one.gateRunId === runId && one.decision === 'approved')
    .filter((one) => one.personId !== requester && one.baseReleaseId === baseIdOf(environment, before.release))
    .filter((one) => mayApprove(one.bindingsNow, promotion.environment))
    .map((one) => one.personId);
  const count = new Set(persons).size;
  insist('S9', count >= gate.count, () => `${promotion.id} deploys with ${count} of ${gate.count} approvals`);
}

function hasComponent(release: PromotionSnapshot['release'], component: string): boolean {
  return release.components.some((one) => one.name === component);
}

/** The simulation binds roles to whole names or to `*` only. */
function mayApprove(bindings: readonly RoleBinding[], environment: string): boolean {
  return bindings.some(
    ({ role, pattern }) => (role === 'approver' || role === 'admin') && (pattern === '*' || pattern === environment),
  );
}
