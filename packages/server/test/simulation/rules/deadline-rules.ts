/**
 * Liveness once faults have stopped: whoever is due is looked at (L1, L3), and every promotion that waits for no person
 * ends soon after the last of its configured deadlines, whatever had gone wrong before.
 */
import { type GateRun, isTerminal, type Settings } from '@stella/domain';
import { insist, type MemoryState, type StoredPromotion } from '@stella/testkit';

/** After the deadline of what it waits for, a promotion has moved on by then. */
const MOVED_ON_MS_MAX = 60_000;
/** Due and looked at by nobody for longer than this, with healthy workers: forgotten. */
const FORGOTTEN_MS_MAX = 5_000;
/** What was set aside is looked at again after this. */
const SET_ASIDE_MS = 10 * 60_000;

export interface CalmWorld {
  readonly state: MemoryState;
  readonly settings: () => Settings;
}

/** To be called when all workers are healthy and have been for a while. */
export function checkCalm({ state, settings }: CalmWorld, nowMs: number): void {
  const now = settings();
  for (const row of state.promotions.values()) {
    const { id, status, step, nextActionAtMs, workerId } = row.promotion;
    if (isTerminal(status)) continue;
    const lateMs = nowMs - (nextActionAtMs ?? nowMs);
    const isForgotten = lateMs > FORGOTTEN_MS_MAX && workerId === null;
    insist('L1', !isForgotten, () => `${id} is due for ${lateMs} ms in ${step} and nobody looks`);
    const overMs = nowMs - deadlineOf(row, now);
    insist('L3', overMs <= MOVED_ON_MS_MAX, () => `${id} is ${status} in ${step}, ${overMs} ms past its last deadline`);
  }
}

/** By when the wait of its current step has ended. */
function deadlineOf(row: StoredPromotion, settings: Settings): number {
  const { promotion, steps, attempts } = row;
  const { step, createdAtMs, deployDeadlineAtMs, lastProgressAtMs } = promotion;
  const sinceMs = steps.get(step)?.startedAtMs ?? createdAtMs;
  // An answer that was called back is there before anybody has looked at it.
  const answered = [...attempts.values()].map((one) => one.result?.endedAtMs ?? one.deadlineAtMs);
  const moments = [lastProgressAtMs, ...answered];
  // By its events: the first look after that time clears the mark, and only begins to move it on.
  for (const { type, atMs } of row.events) if (type === 'promotion.set_aside') moments.push(atMs + SET_ASIDE_MS);
  if (step === 'precheck') moments.push(sinceMs + settings['precheck.holdFor'] + settings['probe.timeout']);
  if (step === 'evaluate_gates') moments.push(...[...row.gateRuns.values()].map((run) => gateDeadlineOf(run)));
  if (step === 'acquire_locks') moments.push(sinceMs + settings['queue.maxWait']);
  if (deployDeadlineAtMs !== null) moments.push(deployDeadlineAtMs);
  return Math.max(...moments);
}

function gateDeadlineOf(run: GateRun): number {
  if (run.verdict !== null || run.state === 'expired' || run.state === 'skipped') return 0;
  return Math.max(run.deadlineAtMs ?? 0, run.heldUntilMs ?? 0, run.nextAttemptAtMs ?? 0);
}
