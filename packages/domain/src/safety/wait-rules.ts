/**
 * What is live goes on: it has a next action (L1), is taken over from the dead (L2), and no deadline passes while it sleeps
 * (L3); a cancellation is heard (L7); what no worker can move is looked at again (L8). Rules that blame the workers say
 * nothing while none of them lives.
 */
import type { GateRun } from '../promotion/promotion.ts';
import { isTerminal, type PromotionStatus, STEPS } from '../promotion/status.ts';
import type { PromotionRecord } from './store-state.ts';
import { type PromotionRule, type StoreView, unless } from './store-view.ts';

/** Whoever waits for a machine or for its turn is looked at again within this. */
export const RECHECK_MS_MAX = 60_000;
/** A worker that is cut off is replaced within this (safety L2); what is due for longer is in nobody's hands. */
export const OVERDUE_MS_MAX = 20_000;
/** Who renewed the lease within this is at work: without that a worker stops itself. */
export const HEARTBEAT_MS_MAX = 10_000;
/** A cancellation is carried out within this (safety L7). */
export const CANCEL_MS_MAX = 5_000;
/** What was set aside is looked at again after this. */
export const LOOK_AGAIN_MS_MAX = 600_000;

const PATIENT: ReadonlySet<PromotionStatus> = new Set(['pending_approval', 'scheduled']);

const next: PromotionRule = {
  name: 'L1.next',
  find: (record) => {
    const { status, nextActionAtMs } = record.promotion;
    return unless(
      isTerminal(status) === (nextActionAtMs === null),
      record,
      `is ${status}, its next action says otherwise`,
    );
  },
};

const soon: PromotionRule = {
  name: 'L1.soon',
  find: (record, { nowMs }) => {
    const { status, nextActionAtMs, setAside } = record.promotion;
    if (isTerminal(status) || PATIENT.has(status) || setAside !== null) return [];
    return unless((nextActionAtMs ?? nowMs) <= nowMs + RECHECK_MS_MAX, record, `is ${status} and sleeps for too long`);
  },
};

function hasLiveWorker({ state, nowMs }: StoreView): boolean {
  return state.workers.some(
    (one) => one.state === 'live' && one.leaseUntilMs > nowMs && one.heartbeatAtMs > nowMs - HEARTBEAT_MS_MAX,
  );
}

function isOverdue({ promotion }: PromotionRecord, nowMs: number): boolean {
  return promotion.nextActionAtMs !== null && promotion.nextActionAtMs < nowMs - OVERDUE_MS_MAX;
}

const takeover: PromotionRule = {
  name: 'L2.takeover',
  find: (record, view) => {
    const { workerId } = record.promotion;
    if (workerId === null || !isOverdue(record, view.nowMs) || !hasLiveWorker(view)) return [];
    const isLive = view.workers.get(workerId)?.state === 'live';
    return unless(isLive, record, `is left with ${workerId}, which is gone`);
  },
};

const overdue: PromotionRule = {
  name: 'L3.overdue',
  find: (record, view) => {
    const isLeft = record.promotion.workerId === null && isOverdue(record, view.nowMs) && hasLiveWorker(view);
    return unless(!isLeft, record, 'is due and nobody takes it');
  },
};

/** Nobody sleeps past what it waits for. */
const deadline: PromotionRule = {
  name: 'L3.deadline',
  find: (record, { nowMs }) => {
    const { step, workerId, nextActionAtMs, setAside, endedAtMs } = record.promotion;
    if (step !== 'evaluate_gates' || workerId !== null || setAside !== null || endedAtMs !== null) return [];
    const nextMs = nextActionAtMs ?? nowMs;
    const isMissed = nextMs > nowMs && record.gateRuns.some((run) => momentsOf(run).some((atMs) => atMs < nextMs));
    return unless(!isMissed, record, 'sleeps past a deadline of its gates');
  },
};

const OVER: ReadonlySet<GateRun['state']> = new Set(['passed', 'failed', 'skipped', 'expired']);

function momentsOf(run: GateRun): number[] {
  if (run.verdict !== null || OVER.has(run.state)) return [];
  return [run.nextAttemptAtMs, run.deadlineAtMs, run.heldUntilMs, run.dueAtMs].filter((atMs) => atMs !== null);
}

/** Time under lock ends. */
const bounded: PromotionRule = {
  name: 'L3.bounded',
  find: (record) => {
    const { status, step, deployDeadlineAtMs } = record.promotion;
    const isUnderLock = !isTerminal(status) && STEPS.indexOf(step) >= STEPS.indexOf('deploy');
    return unless(!isUnderLock || deployDeadlineAtMs !== null, record, `is in ${step} without a deadline`);
  },
};

const cancel: PromotionRule = {
  name: 'L7.cancel',
  find: (record, { nowMs }) => {
    const { cancelRequestedAtMs, endedAtMs, step, workerId, nextActionAtMs, setAside } = record.promotion;
    const isEarly = STEPS.indexOf(step) < STEPS.indexOf('deploy');
    if (cancelRequestedAtMs === null || endedAtMs !== null || !isEarly || workerId !== null || setAside !== null)
      return [];
    const isHeard = (nextActionAtMs ?? nowMs) <= Math.max(nowMs, cancelRequestedAtMs + CANCEL_MS_MAX);
    return unless(isHeard, record, 'was cancelled and sleeps on');
  },
};

const aside: PromotionRule = {
  name: 'L8.aside',
  find: (record, { nowMs }) => {
    const { setAside, endedAtMs, workerId, nextActionAtMs } = record.promotion;
    if (setAside === null || endedAtMs !== null || workerId !== null) return [];
    const isKept = (nextActionAtMs ?? nowMs) <= Math.max(nowMs, setAside.atMs + LOOK_AGAIN_MS_MAX);
    return unless(isKept, record, 'was set aside and is not looked at again');
  },
};

export const WAIT_RULES: readonly PromotionRule[] = [next, soon, takeover, overdue, deadline, bounded, cancel, aside];
