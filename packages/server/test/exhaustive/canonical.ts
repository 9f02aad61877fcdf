/**
 * One form for all rows that no rule can tell apart, so that they are one state. What still counts down is kept to the
 * millisecond. What is over keeps its order only: everything of a promotion that ended is long before everything that is
 * still live, earlier ends are before later ones, and within a promotion an operation that ended is before the one that is
 * under way. Texts, hashes of the chain and counts of writes are dropped, rows are named by their place.
 */
import {
  type Attempt,
  type AttemptResult,
  type GateRun,
  isTerminal,
  type Promotion,
  type Skip,
  type StepRun,
  STEPS,
  type WorkerId,
  hasAttempts,
} from '@stella/domain';
import { NOW_MS, type Part, type Place } from './world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Of every row: each write raises it, which only tells how often it was written. */
const VERSION = 100;
/** A decision looks again after a millisecond when a moment has come just now: no time is left in between. */
const AT_ONCE_MS = 1;
// Named as every source names ids.
export const LIVE_WORKER = 'wrk_0' as WorkerId;
export const DEAD_WORKER = 'wrk_2' as WorkerId;

/** When the promotion ended that was so many before it. */
export function endOf(rank: number): number {
  return NOW_MS - (10 - rank) * DAY_MS;
}

interface Frame {
  readonly isLive: boolean;
  /** Everything that is over happened then. */
  readonly pastMs: number;
  /** The right to deploy was asked: nobody looks at gates any more. */
  readonly isDecided: boolean;
}

/** `endRank` is how many promotions had ended before, if this one ends. */
export function canonicalPart(part: Part, endRank: number): Part {
  const { promotion } = part;
  const isLive = !isTerminal(promotion.status);
  const frame: Frame = {
    isLive,
    pastMs: isLive ? NOW_MS - DAY_MS : endOf(endRank) - HOUR_MS,
    isDecided: !isLive || STEPS.indexOf(promotion.step) >= STEPS.indexOf('deploy'),
  };
  const runNames = new Map(part.gateRuns.map((one) => [one.id, nameOf(one)]));
  const named = (id: GateRun['id']): GateRun['id'] => runNames.get(id) ?? id;
  return {
    promotion: canonicalPromotion(part, endRank),
    steps: STEPS.flatMap((step) => part.steps.filter((one) => one.step === step)).map((one) =>
      canonicalStep(one, promotion, frame),
    ),
    gateRuns: part.gateRuns.map((one) => canonicalGateRun(one, promotion, frame)),
    attempts: part.attempts.map((one) => ({
      ...canonicalAttempt(one, promotion, frame),
      gateRunId: one.gateRunId && named(one.gateRunId),
    })),
    approvals: part.approvals.map((one) => ({
      ...one,
      // Named as every source names ids.
      id: `apv_${one.subject}.${named(one.gateRunId)}` as typeof one.id,
      gateRunId: named(one.gateRunId),
      atMs: frame.pastMs,
    })),
    skips: part.skips.map((one, n) => ({
      ...canonicalSkip(one, frame),
      id: `skp_${promotion.id}.${n}` as Skip['id'],
      gateRunId: named(one.gateRunId),
    })),
    locks: part.locks.map((one) => ({
      ...one,
      id: `lck_${promotion.id}.${one.resource}` as typeof one.id,
      acquiredAtMs: frame.pastMs,
    })),
    run: isLive ? part.run : null,
  };
}

function nameOf({ gate, round }: GateRun): GateRun['id'] {
  // Named as every source names ids.
  return `gtr_${gate}${round}` as GateRun['id'];
}

/** A moment that has come stays now: how long ago no rule asks. */
function toCome(atMs: number): number {
  return atMs - NOW_MS <= AT_ONCE_MS ? NOW_MS : atMs;
}

function canonicalPromotion({ promotion, run }: Part, endRank: number): Promotion {
  const { workerId, nextActionAtMs, deployDeadlineAtMs, endedAtMs, cancelRequestedAtMs, ending } = promotion;
  return {
    ...promotion,
    createdAtMs: endOf(-1),
    lastProgressAtMs: endOf(-1),
    inProgressSinceMs: endOf(-1),
    version: VERSION,
    claimEpoch: 1,
    chainHead: null,
    chainLength: 0,
    workerId: workerId && (run === null ? DEAD_WORKER : LIVE_WORKER),
    nextActionAtMs: nextActionAtMs === null ? null : toCome(nextActionAtMs),
    deployDeadlineAtMs: deployDeadlineAtMs === null ? null : toCome(deployDeadlineAtMs),
    endedAtMs: endedAtMs === null ? null : endOf(endRank),
    cancelRequestedAtMs: cancelRequestedAtMs === null ? null : endedAtMs === null ? NOW_MS : endOf(endRank),
    baseState: null,
    ending: ending && { code: ending.code, message: '' },
  };
}

function canonicalStep(one: StepRun, { step }: Promotion, { isLive, pastMs }: Frame): StepRun {
  // How long it waits for its turn is the only past of a step that is asked for.
  const isAsked = isLive && one.step === step && step === 'acquire_locks';
  return {
    ...one,
    startedAtMs: one.startedAtMs === null || isAsked ? one.startedAtMs : pastMs,
    endedAtMs: one.endedAtMs === null ? null : pastMs,
    message: '',
  };
}

function canonicalGateRun(run: GateRun, promotion: Promotion, { pastMs, isDecided }: Frame): GateRun {
  const { state, verdict, validUntilMs } = run;
  const isOpen = !isDecided && verdict === null && state !== 'skipped' && state !== 'expired';
  const open = (atMs: number | null): number | null => (atMs === null || !isOpen ? null : toCome(atMs));
  const validForMs = promotion.definition.gates.find((gate) => gate.name === run.gate)?.validForMs ?? 0;
  const isCounting = !isDecided && state === 'passed' && validUntilMs !== null;
  const untilMs = isCounting ? toCome(validUntilMs) : pastMs + validForMs;
  return {
    ...run,
    id: nameOf(run),
    startedAtMs: run.startedAtMs && pastMs,
    nextAttemptAtMs: open(run.nextAttemptAtMs),
    deadlineAtMs: open(run.deadlineAtMs),
    heldUntilMs: open(run.heldUntilMs),
    verdictAtMs: verdict === null ? null : verdict === 'passed' ? untilMs - validForMs : pastMs,
    validUntilMs: verdict === 'passed' ? untilMs : null,
    // Rounds that ended because time ran out are counted.
    message: state === 'expired' && run.message === 'gate_expired' ? run.message : '',
  };
}

function canonicalAttempt(one: Attempt, { definition }: Promotion, { isLive, pastMs }: Frame): Attempt {
  const gate = one.purpose === 'gate' ? definition.gates.find((declared) => declared.name === one.subject) : undefined;
  // Whether somebody gave a gate more time since then is asked of its last attempt.
  const lengthMs = gate && hasAttempts(gate) ? gate.timeoutMs : 0;
  if (!isLive || one.result !== null) {
    const isSeal = isLive && one.purpose === 'seal';
    const startedAtMs = isSeal ? NOW_MS : pastMs;
    return {
      ...one,
      workerId: null,
      startedAtMs,
      deadlineAtMs: startedAtMs + lengthMs,
      result: one.result && canonicalResult(one.result, startedAtMs),
    };
  }
  const deadlineAtMs = toCome(one.deadlineAtMs);
  const isOperation = one.purpose === 'deploy' || one.purpose === 'rollback';
  // A seal is asked for after its operation.
  const startedAtMs = gate ? deadlineAtMs - lengthMs : isOperation ? pastMs + HOUR_MS : NOW_MS;
  return { ...one, startedAtMs, deadlineAtMs };
}

function canonicalResult(result: AttemptResult, endedAtMs: number): AttemptResult {
  return { ...result, code: '', message: '', output: '', endedAtMs };
}

function canonicalSkip(skip: Skip, { pastMs, isDecided }: Frame): Skip {
  const { expiresAtMs, state } = skip;
  const isCounting = !isDecided && state === 'approved' && expiresAtMs !== null;
  const usedUntilMs = state === 'used' ? pastMs + HOUR_MS : null;
  return {
    ...skip,
    requestedAtMs: pastMs,
    decidedAtMs: skip.decidedAtMs && pastMs,
    expiresAtMs: isCounting ? toCome(expiresAtMs) : usedUntilMs,
    endedAtMs: skip.endedAtMs && pastMs,
    message: '',
  };
}

/** `endRank`: of the promotion that this write completed there. */
export function canonicalPlace(place: Place, endRank: number): Place {
  const { status } = place;
  return {
    ...place,
    status: status.releasedAtMs === NOW_MS ? { ...status, releasedAtMs: endOf(endRank) } : status,
    debts: place.debts.map((one) => ({
      ...one,
      // Named as every source names ids.
      id: `dbt_${one.promotionId}.${one.gate}` as typeof one.id,
      openedAtMs: NOW_MS,
      closedAtMs: one.closedAtMs && NOW_MS,
      dueAtMs: one.dueAtMs && NOW_MS,
      message: '',
    })),
  };
}

/** So many milliseconds later. */
export function nearer(part: Part, byMs: number, maxWaitMs: number): Part {
  if (isTerminal(part.promotion.status)) return part;
  const at = <T extends number | null>(atMs: T): T =>
    // Null stays null, a moment a moment.
    (atMs === null ? null : atMs - byMs) as T;
  const { promotion } = part;
  const later: Part = {
    ...part,
    promotion: {
      ...promotion,
      nextActionAtMs: at(promotion.nextActionAtMs),
      deployDeadlineAtMs: at(promotion.deployDeadlineAtMs),
    },
    // Whoever waited for so long waits no longer.
    steps: part.steps.map((one) => ({
      ...one,
      startedAtMs: one.startedAtMs && Math.max(NOW_MS - maxWaitMs, one.startedAtMs - byMs),
    })),
    gateRuns: part.gateRuns.map((one) => ({
      ...one,
      nextAttemptAtMs: at(one.nextAttemptAtMs),
      deadlineAtMs: at(one.deadlineAtMs),
      heldUntilMs: at(one.heldUntilMs),
      validUntilMs: at(one.validUntilMs),
    })),
    attempts: part.attempts.map((one) => (one.result === null ? { ...one, deadlineAtMs: at(one.deadlineAtMs) } : one)),
    skips: part.skips.map((one) => ({ ...one, expiresAtMs: at(one.expiresAtMs) })),
  };
  return canonicalPart(later, 0);
}

/** The next moment that a promotion waits for; null when it waits for none. */
export function nextMoment({ promotion, gateRuns, attempts, skips }: Part): number | null {
  if (isTerminal(promotion.status)) return null;
  const isDecided = STEPS.indexOf(promotion.step) >= STEPS.indexOf('deploy');
  const moments = [
    promotion.nextActionAtMs,
    promotion.deployDeadlineAtMs,
    ...(isDecided ? [] : gateRuns.flatMap((run) => [run.validUntilMs, run.deadlineAtMs, run.heldUntilMs])),
    ...(isDecided ? [] : skips.map((skip) => skip.expiresAtMs)),
    ...attempts.map((one) => (one.result === null ? one.deadlineAtMs : null)),
  ].filter((atMs): atMs is number => atMs !== null && atMs > NOW_MS);
  return moments.length === 0 ? null : Math.min(...moments);
}
