/**
 * A worker as the engine's is (claim, tick, run effects, feed back), with its ways to fail: it may be killed between any
 * two moments, stand still and come back after others have taken over, drain, or lose the answer to a commit.
 */
import { type Actor, type Attempt, type Decision, isTerminal, type PromotionId, type WorkerId } from '@stella/domain';
import type { Agenda } from './agenda.ts';
import type { DecideRule, MemoryClaim, MemoryOutcome, MemoryStore, OpenTick } from './memory-store.ts';
import { readSnapshot } from '../memory/memory-reads.ts';
import { isRowLocked, putWorker, rowOf } from '../memory/memory-state.ts';
import { insist } from './safety-violation.ts';
import type { SeededRandom } from './seeded-random.ts';
import { type EffectWorld, isRefusedWrongly, type RunningEffect, startEffect } from './simulated-effects.ts';

export interface WorkerWorld {
  readonly agenda: Agenda;
  readonly random: SeededRandom;
  readonly store: MemoryStore;
  readonly effects: EffectWorld;
  readonly decide: (actor: Actor) => DecideRule;
  /** Something was written: others may have work. */
  readonly onChange: () => void;
  readonly count: (what: string) => void;
}

interface Flight {
  readonly attempt: Attempt;
  readonly effect: RunningEffect;
  readonly strike: () => void;
}

interface Run {
  claim: MemoryClaim;
  open: OpenTick | null;
  isPoked: boolean;
  isOver: boolean;
  outcomes: MemoryOutcome[];
  readonly inFlight: Map<string, Flight>;
  readonly done: Set<string>;
}

export interface SimulatedWorker {
  readonly id: WorkerId;
  isRunning(): boolean;
  isAlive(): boolean;
  /** Looks for due work. */
  poll(): void;
  kill(): void;
  /** Stands still; what ends meanwhile is noticed afterwards. */
  pause(): void;
  resume(): void;
  /** Ends every effect and gives every claim back, as far as its outcome is known. */
  retire(): void;
  /** Promotions that it runs. */
  holds(id: PromotionId): boolean;
}

interface WorkerState {
  readonly world: WorkerWorld;
  readonly id: WorkerId;
  readonly rule: DecideRule;
  readonly runs: Map<PromotionId, Run>;
  readonly missed: (() => void)[];
  isAlive: boolean;
  isPaused: boolean;
}

/** Commits whose answer is lost on the way, of a hundred. */
const LOST_ANSWER_PERCENT = 2;

export function makeSimulatedWorker(world: WorkerWorld, id: WorkerId): SimulatedWorker {
  const rule = world.decide({ kind: 'worker', id });
  const state: WorkerState = { world, id, rule, runs: new Map(), missed: [], isAlive: true, isPaused: false };
  putWorker(world.store.state, id);
  const stop = (): void => {
    state.isAlive = false;
    for (const run of state.runs.values()) endRun(state, run);
  };
  return {
    id,
    isRunning: () => state.isAlive && !state.isPaused,
    isAlive: () => state.isAlive,
    poll: () => poll(state),
    kill: stop,
    pause: () => {
      state.isPaused = true;
      // A transaction that stands still is ended by the database.
      for (const run of state.runs.values()) abortTick(run);
    },
    resume: () => resume(state, stop),
    retire: () => {
      stop();
      insist('store', world.store.retireWorker(id, world.agenda.nowMs()), () => `${id} could not sign off`);
      world.onChange();
    },
    holds: (promotionId) => state.runs.get(promotionId)?.isOver === false,
  };
}

/** First what had ended while it stood still is brought, then it learns that it was declared dead. */
function resume(state: WorkerState, stop: () => void): void {
  if (!state.isAlive) return;
  const { agenda, random, store } = state.world;
  state.isPaused = false;
  for (const missed of state.missed.splice(0)) missed();
  for (const run of state.runs.values()) advance(state, run);
  agenda.after(random.between(0, 200), () => {
    if (store.state.workers.get(state.id)?.state !== 'live') stop();
  });
}

function poll(state: WorkerState): void {
  const { store, agenda, random, count } = state.world;
  if (!state.isAlive || state.isPaused) return;
  const due = store.takeDueWork(state.id, random.between(1, 4), agenda.nowMs());
  for (const claim of due.claimed) {
    const stale = state.runs.get(claim.promotionId);
    if (stale) endRun(state, stale);
    const run: Run = {
      claim,
      open: null,
      isPoked: false,
      isOver: false,
      outcomes: [],
      inFlight: new Map(),
      done: new Set(),
    };
    state.runs.set(claim.promotionId, run);
    if (claim.isTakeover) count('worker.took_over');
    agenda.after(random.between(0, 3), () => advance(state, run));
  }
  for (const { promotionId } of due.owned) {
    const run = state.runs.get(promotionId);
    if (run && !run.isOver) advance(state, run);
  }
}

/** One tick at a time; what comes in meanwhile is taken along by the next. */
function advance(state: WorkerState, run: Run): void {
  run.isPoked = true;
  const { agenda, random, store } = state.world;
  if (run.open || run.isOver || !state.isAlive || state.isPaused) return;
  if (isRowLocked(store.state, run.claim.promotionId)) {
    // Another worker's transaction holds the row: wait for it.
    agenda.after(random.between(1, 3), () => advance(state, run));
    return;
  }
  run.isPoked = false;
  const sent = [...run.outcomes];
  const open = store.openTick(run.claim, sent, state.rule, agenda.nowMs());
  if (!open) {
    state.world.count('worker.claim_lost');
    endRun(state, run);
    return;
  }
  run.open = open;
  agenda.after(random.between(0, 6), () => finishTick(state, run, open, sent));
}

function finishTick(state: WorkerState, run: Run, open: OpenTick, sent: readonly MemoryOutcome[]): void {
  const { agenda, random, count, onChange } = state.world;
  if (run.open !== open) return;
  const { decision } = open.finish(agenda.nowMs());
  run.open = null;
  onChange();
  if (random.chance(LOST_ANSWER_PERCENT)) {
    count('worker.lost_answer');
    agenda.after(random.between(100, 400), () => advance(state, run));
    return;
  }
  run.outcomes = run.outcomes.filter((outcome) => !sent.includes(outcome));
  run.claim = { ...run.claim, isTakeover: false };
  if (decision.promotion.workerId === null) {
    endRun(state, run);
    return;
  }
  if (decision.promotion.status === 'cancelling') abortForward(state, run, decision);
  startEffects(state, run, decision);
  if (run.isPoked) advance(state, run);
}

function startEffects(state: WorkerState, run: Run, { effects }: Decision): void {
  const { agenda, store, effects: world, count } = state.world;
  for (const attempt of effects) {
    const { operationId, deadlineAtMs } = attempt;
    if (run.inFlight.has(operationId) || run.done.has(operationId)) continue;
    const snapshot = readSnapshot(store.state, run.claim.promotionId);
    count(`effect.${attempt.purpose}`);
    const effect = startEffect(world, attempt, snapshot, Math.max(1, deadlineAtMs - agenda.nowMs()));
    const strike = agenda.after(effect.delayMs, () =>
      whenRunning(state, () => land(state, run, attempt, effect.answer)),
    );
    run.inFlight.set(operationId, { attempt, effect, strike });
  }
}

function whenRunning(state: WorkerState, act: () => void): void {
  if (!state.isAlive) return;
  if (state.isPaused) state.missed.push(act);
  else act();
}

function land(state: WorkerState, run: Run, attempt: Attempt, answer: RunningEffect['answer']): void {
  const { operationId } = attempt;
  const { store, count } = state.world;
  if (run.isOver) return;
  const result = answer();
  const current = rowOf(store.state, run.claim.promotionId);
  const isRightful =
    current.promotion.claimEpoch === run.claim.claimEpoch &&
    current.attempts.get(operationId)?.result === null &&
    !isTerminal(current.promotion.status);
  if (result.outcome === 'refused') {
    count('effect.refused');
    const isWrong = isRightful && isRefusedWrongly(attempt, readSnapshot(store.state, run.claim.promotionId));
    insist('S4', !isWrong, () => `${operationId} was refused although its promotion holds the lock`);
  }
  run.inFlight.delete(operationId);
  run.done.add(operationId);
  run.outcomes.push({ operationId, result });
  advance(state, run);
}

/** A cancelled promotion does not wait for its deploy to end by itself; a rollback is never aborted. */
function abortForward(state: WorkerState, run: Run, { effects }: Decision): void {
  const { agenda, random } = state.world;
  for (const { operationId, purpose } of effects) {
    const flight = run.inFlight.get(operationId);
    if (!flight || (purpose !== 'deploy' && purpose !== 'verify')) continue;
    flight.strike();
    const { attempt, effect } = flight;
    agenda.after(random.between(1, 500), () =>
      whenRunning(state, () => land(state, run, attempt, () => effect.onAbort)),
    );
  }
}

function abortTick(run: Run): void {
  run.open?.abort();
  run.open = null;
}

function endRun(state: WorkerState, run: Run): void {
  abortTick(run);
  run.isOver = true;
  for (const flight of run.inFlight.values()) flight.strike();
  if (state.runs.get(run.claim.promotionId) === run) state.runs.delete(run.claim.promotionId);
}
