/**
 * One claimed promotion in this worker: ticks it, starts the effects that the decision names, and feeds their outcomes
 * back. One tick at a time; what comes in meanwhile is taken along by the next.
 *
 * Relies on the store for the claim: a tick that answers `claim_lost` ends the run at once and aborts its effects
 * (safety S3). An error of the database keeps the outcomes and tries again with the same ones (safety S17); the same error
 * time after time sets the promotion aside (safety L8).
 */
import {
  isPlanted,
  type Actor,
  type Attempt,
  type AttemptPurpose,
  decide,
  type Decision,
  isAppError,
  isTerminal,
  type PromotionId,
  type PromotionSnapshot,
} from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import { pause } from '../ports/clock.ts';
import type { Claim, ClaimFailure, EngineStore, OutcomeRecord } from '../ports/engine-store.ts';
import type { Faults } from '../ports/faults.ts';
import type { Logger } from '../ports/logger.ts';
import type { EngineMetrics } from '../ports/metrics.ts';
import type { Watchdog } from '../ports/watchdog.ts';
import type { EffectFacts, RunEffect } from './effects.ts';

/** Pauses after a failed tick: doubling from the first to the last. */
const TICK_RETRY_MIN_MS = 100;
const TICK_RETRY_MAX_MS = 5_000;
/** The same error in so many attempts sets the promotion aside (safety L8). */
const POISON_ATTEMPTS = 5;

export interface RunDeps {
  readonly store: EngineStore;
  readonly runEffect: RunEffect;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  readonly faults: Faults;
  readonly watchdog: Watchdog;
  readonly actor: Actor;
}

export interface PromotionRun {
  readonly promotionId: PromotionId;
  /** Something happened: look again. Returns at once. */
  poke(): void;
  /** Aborts the effects, whose outcomes are still recorded; used when the worker drains. */
  abortEffects(): void;
  /** Drops everything at once: the claim is no longer ours. */
  abandon(): void;
  /** Settles with the first tick that was written; never, when none is. */
  readonly written: Promise<void>;
  /** Settles when the claim was given back or lost. Never rejects. */
  readonly ended: Promise<void>;
}

interface RunState {
  claim: Claim;
  isTicking: boolean;
  isPoked: boolean;
  isOver: boolean;
  outcomes: OutcomeRecord[];
  readonly inFlight: Map<string, AbortController>;
  /** Done here, so that a decision made before the outcome was recorded does not start it again. */
  readonly done: Set<string>;
  readonly stop: AbortController;
  readonly hasWritten: () => void;
  finish: () => void;
}

export function startPromotionRun(deps: RunDeps, claim: Claim): PromotionRun {
  let finish = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let hasWritten = (): void => undefined;
  const written = new Promise<void>((resolve) => {
    hasWritten = resolve;
  });
  const state: RunState = {
    claim,
    isTicking: false,
    isPoked: false,
    isOver: false,
    outcomes: [],
    inFlight: new Map(),
    done: new Set(),
    stop: new AbortController(),
    hasWritten,
    finish,
  };
  void advance(deps, state);
  return {
    promotionId: claim.promotionId,
    poke: () => void advance(deps, state),
    abortEffects: () => {
      for (const controller of state.inFlight.values()) controller.abort();
    },
    abandon: () => endRun(state),
    written,
    ended,
  };
}

async function advance(deps: RunDeps, state: RunState): Promise<void> {
  state.isPoked = true;
  if (state.isTicking || state.isOver) return;
  state.isTicking = true;
  let retryMs = TICK_RETRY_MIN_MS;
  let failure: ClaimFailure | null = diedBefore(state.claim);
  while (state.isPoked && !state.isOver) {
    try {
      if (failure !== null && failure.count >= POISON_ATTEMPTS) {
        await setAside(deps, state, failure);
        break;
      }
      await tickOnce(deps, state);
      failure = null;
      retryMs = TICK_RETRY_MIN_MS;
    } catch (error) {
      deps.logger.error({ error, promotionId: state.claim.promotionId }, 'a tick failed');
      failure = onceMore(failure, error);
      state.isPoked = true;
      await pause(deps.clock, retryMs, state.stop.signal);
      retryMs = Math.min(retryMs * 2, TICK_RETRY_MAX_MS);
    }
  }
  state.isTicking = false;
}

/** Its workers died before they wrote anything: it may be what ends them. */
function diedBefore({ failureCount }: Claim): ClaimFailure | null {
  if (failureCount < POISON_ATTEMPTS) return null;
  return { message: `${failureCount} workers ended before they could write anything`, count: failureCount };
}

/** Counts the same error; a database that is away is the database's, not the promotion's. */
function onceMore(before: ClaimFailure | null, error: unknown): ClaimFailure | null {
  if (isAppError(error) && error.code === 'database.unavailable') return before;
  const message = error instanceof Error ? error.message : String(error);
  return { message, count: before?.message === message ? before.count + 1 : 1 };
}

async function setAside(deps: RunDeps, state: RunState, failure: ClaimFailure): Promise<void> {
  const { promotionId } = state.claim;
  await deps.store.setAside(state.claim, failure, deps.actor);
  deps.logger.error({ promotionId, ...failure }, 'a promotion was set aside');
  endRun(state);
}

async function tickOnce(deps: RunDeps, state: RunState): Promise<void> {
  let nowMs = 0;
  await deps.faults.hit('engine.before_tick');
  // Not before here, so that effects which end together are recorded together, by one tick.
  state.isPoked = false;
  const sent = [...state.outcomes];
  if (isPlanted('outcome.dropped')) state.outcomes = [];
  const result = await deps.store.tick(state.claim, sent, (snapshot, context, ended) => {
    nowMs = context.nowMs;
    const asked = isPlanted('deadline.by_worker_clock') ? { ...context, nowMs: deps.clock.nowMs() } : context;
    const decision = decide(snapshot, asked, deps.actor, ended);
    if (isPlanted('effect.before_intent')) startEffects(deps, state, { snapshot, decision, nowMs });
    return decision;
  });
  await deps.faults.hit('engine.after_tick');
  state.outcomes = state.outcomes.filter((outcome) => !sent.includes(outcome));
  if (result.kind === 'claim_lost') {
    deps.logger.warn({ promotionId: state.claim.promotionId, claimEpoch: state.claim.claimEpoch }, 'claim lost');
    endRun(state);
    return;
  }
  state.claim = { ...state.claim, isTakeover: false, failureCount: 0 };
  state.hasWritten();
  report(deps, result.snapshot, result.decision);
  if (result.decision.promotion.workerId === null) {
    // What came while the claim was given back: nothing waits for it, and it is kept as late.
    if (state.outcomes.length > 0) await deps.store.tick(state.claim, state.outcomes, refuseToDecide);
    endRun(state);
    return;
  }
  if (result.decision.promotion.status === 'cancelling') abortForward(state, result.decision.effects);
  startEffects(deps, state, { ...result, nowMs });
}

/** For a claim that was given back; the store answers `claim_lost` before it would ask. */
function refuseToDecide(): never {
  throw new RangeError('a claim that was given back is decided by nobody');
}

const FORWARD: ReadonlySet<AttemptPurpose> = new Set(['deploy', 'batch_verify', 'judge', 'verify']);

/** A cancelled promotion need not wait for its deploy to end by itself; a rollback is never aborted. */
function abortForward(state: RunState, effects: readonly Attempt[]): void {
  for (const { purpose, operationId } of effects) {
    if (FORWARD.has(purpose)) state.inFlight.get(operationId)?.abort();
  }
}

interface Written {
  readonly snapshot: PromotionSnapshot;
  readonly decision: Decision;
  readonly nowMs: number;
}

function startEffects(deps: RunDeps, state: RunState, { snapshot, decision, nowMs }: Written): void {
  const fresh = decision.effects.filter(
    ({ operationId }) => !state.inFlight.has(operationId) && !state.done.has(operationId),
  );
  const facts = withoutAttempts(snapshot);
  for (const attempt of fresh) {
    const controller = new AbortController();
    state.inFlight.set(attempt.operationId, controller);
    const timeoutMs = Math.max(1, attempt.deadlineAtMs - nowMs);
    void runOne(deps, state, { attempt, snapshot: facts, timeoutMs, signal: controller.signal });
  }
}

function withoutAttempts({ attempts: _attempts, ...facts }: PromotionSnapshot): EffectFacts {
  return facts;
}

async function runOne(deps: RunDeps, state: RunState, call: Parameters<RunEffect>[0]): Promise<void> {
  const { operationId } = call.attempt;
  await deps.faults.hit('engine.before_effect');
  const result = await deps.runEffect(call);
  await deps.faults.hit('engine.after_effect');
  state.inFlight.delete(operationId);
  state.done.add(operationId);
  if (state.isOver) return;
  state.outcomes.push({ operationId, result });
  await advance(deps, state);
}

function endRun(state: RunState): void {
  if (state.isOver) return;
  state.isOver = true;
  state.stop.abort();
  for (const controller of state.inFlight.values()) controller.abort();
  state.inFlight.clear();
  state.finish();
}

function report(deps: RunDeps, before: PromotionSnapshot, decision: Decision): void {
  const { promotion, takenLocks } = decision;
  countGivenUp(deps, before, decision);
  const { status, step, id } = promotion;
  if (takenLocks.length > 0) {
    const sinceMs = before.steps.find((run) => run.step === 'acquire_locks')?.startedAtMs;
    deps.metrics.lockAcquired((takenLocks[0]?.acquiredAtMs ?? 0) - (sinceMs ?? promotion.lastProgressAtMs));
  }
  if (status === before.promotion.status && step === before.promotion.step) return;
  deps.logger.info({ promotionId: id, status, step, code: promotion.ending?.code }, 'promotion moved');
  if (isTerminal(status)) deps.metrics.promotionEnded(status, (promotion.endedAtMs ?? 0) - promotion.createdAtMs);
}

/** A callback that did not come is counted here, where it was given up: no effect ends with it. */
function countGivenUp(
  { metrics }: RunDeps,
  { attempts }: PromotionSnapshot,
  { promotion, settledAttempts }: Decision,
): void {
  for (const { operationId, result } of settledAttempts) {
    const attempt = attempts.find((one) => one.operationId === operationId);
    const gate = promotion.definition.gates.find((one) => one.name === attempt?.subject);
    if (!attempt || !gate || result.code !== 'gate.no_callback') continue;
    const durationMs = result.endedAtMs - attempt.startedAtMs;
    const { environment } = promotion;
    metrics.gateEvaluated({ environment, gate: gate.name, kind: gate.kind, outcome: result.outcome, durationMs });
  }
}
