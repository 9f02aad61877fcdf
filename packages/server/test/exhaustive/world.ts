/**
 * A small closed world as one immutable value: promotions with all their rows, environments, targets, and who works on
 * what. `nowMs` never moves; when time passes, every moment comes nearer instead, so that states which differ by nothing
 * but their date are the same. What no rule reads (messages, hashes of the chain, dates of what is over) is dropped.
 */
import {
  type Approval,
  type Attempt,
  type AttemptResult,
  type DecideContext,
  type Decision,
  type EnvironmentDefinition,
  type EnvironmentGuard,
  type EnvironmentStatus,
  type GateDebt,
  type GateRun,
  type Id,
  type IdPrefix,
  type IdSource,
  isTerminal,
  type Lock,
  type Promotion,
  type PromotionSnapshot,
  type Release,
  type Settings,
  type Skip,
  type StepRun,
} from '@stella/domain';
import type { AcceptedOperation } from '../../src/ports/target.ts';

export const NOW_MS = Date.UTC(2026, 0, 1);
/** Of every row: each write raises it, which only tells how often it was written. */
const VERSION = 100;

/** Who works on a promotion: one of the workers, and the operations that it has under way. */
export interface Run {
  readonly worker: number;
  readonly isTakeover: boolean;
  readonly isFresh: boolean;
  readonly underWay: readonly string[];
}

/** A promotion with every row that is its own. */
export interface Part {
  readonly promotion: Promotion;
  readonly steps: readonly StepRun[];
  readonly gateRuns: readonly GateRun[];
  readonly attempts: readonly Attempt[];
  readonly approvals: readonly Approval[];
  readonly skips: readonly Skip[];
  readonly locks: readonly Lock[];
  readonly run: Run | null;
}

export interface Place {
  readonly status: EnvironmentStatus;
  /** The highest accepted pair, and how that operation ended. */
  readonly accepted: AcceptedOperation | null;
  readonly outcome: 'succeeded' | 'failed' | null;
  /** Release that the target runs. */
  readonly runs: Release['id'] | null;
  /** Accepted operations that nobody waits for and that may still switch. */
  readonly loose: readonly Loose[];
  readonly lastFence: number;
  readonly lastTicket: number;
}

export interface Loose {
  readonly operationId: string;
  readonly fence: number;
  readonly release: Release['id'];
}

export interface World {
  readonly parts: readonly Part[];
  readonly places: readonly Place[];
  readonly debts: readonly GateDebt[];
  readonly crashesLeft: number;
  readonly skipsLeft: number;
}

/** What never changes. */
export interface Stage {
  readonly releases: ReadonlyMap<string, Release>;
  readonly definitions: ReadonlyMap<string, EnvironmentDefinition>;
  readonly settings: Settings;
  readonly workerCount: number;
}

export function placeIndexOf(world: World, environment: string): number {
  return world.places.findIndex((place) => place.status.name === environment);
}

export function placeOf(world: World, environment: string): Place {
  const place = world.places[placeIndexOf(world, environment)];
  if (!place) throw new RangeError(`no environment ${environment}`);
  return place;
}

export function partOf(world: World, index: number): Part {
  const part = world.parts[index];
  if (!part) throw new RangeError(`no promotion ${index}`);
  return part;
}

export function snapshotOf(stage: Stage, world: World, part: Part): PromotionSnapshot {
  const { promotion } = part;
  const { status } = placeOf(world, promotion.environment);
  const { run: _worker, ...rows } = part;
  return {
    ...rows,
    release: releaseOf(stage, promotion.releaseId),
    debts: world.debts.filter((debt) => debt.environment === promotion.environment),
    environment: status,
    base: status.releaseId === null ? null : releaseOf(stage, status.releaseId),
    predecessors: promotion.definition.promotesFrom.map((name) => {
      const there = placeOf(world, name).status;
      const hasCompleted = there.releaseNumber >= releaseOf(stage, promotion.releaseId).number;
      return { ...there, completedAtMs: hasCompleted ? NOW_MS : null };
    }),
    settings: stage.settings,
    replacement: null,
    formerBase:
      promotion.baseReleaseId === null || promotion.baseReleaseId === status.releaseId
        ? null
        : releaseOf(stage, promotion.baseReleaseId),
  };
}

export function releaseOf({ releases }: Stage, id: Release['id']): Release {
  const release = releases.get(id);
  if (!release) throw new RangeError(`no release ${id}`);
  return release;
}

export function guardOf(world: World, part: Part): EnvironmentGuard {
  const { environment, id } = part.promotion;
  const place = placeOf(world, environment);
  const others = world.parts.filter((one) => one.promotion.id !== id && one.promotion.environment === environment);
  const holder = others.find((one) => one.locks.some((lock) => lock.mode === 'exclusive'));
  return {
    holder: holder?.locks[0] ? { lockId: holder.locks[0].id, promotionId: holder.promotion.id, isStale: false } : null,
    waiters: others.flatMap(({ promotion: { id: promotionId, ticket, priority, step, status } }) =>
      ticket !== null && step === 'acquire_locks' && !isTerminal(status) ? [{ promotionId, ticket, priority }] : [],
    ),
    ticket: place.lastTicket + 1,
    fence: { epoch: 1, n: place.lastFence + 1 },
  };
}

/** Ids by what they are of; the name of a gate run or lock follows from its place, see `tidy`. */
export function makeIdSource(): IdSource {
  let count = 0;
  return {
    next<P extends IdPrefix>(prefix: P): Id<P> {
      count += 1;
      // The shape of an id, as every source makes it.
      return `${prefix}_new${count}` as Id<P>;
    },
  };
}

export function contextOf(guard: EnvironmentGuard | null, isTakeover: boolean): DecideContext {
  return { nowMs: NOW_MS, ids: makeIdSource(), guard, isTakeover };
}

/** The world after the decision was written; its effects are under way. */
export function writeDecision(world: World, index: number, decision: Decision): World {
  const before = partOf(world, index);
  const { promotion } = decision;
  const settled = new Map(decision.settledAttempts.map((one) => [one.operationId, one.result]));
  const locks = before.locks
    .filter((lock) => !decision.releasedLocks.includes(lock.id))
    .map((lock) => ({ ...lock, fence: decision.lockFence ?? lock.fence }));
  const part: Part = {
    promotion,
    steps: replaced(before.steps, decision.steps, (one) => one.step),
    gateRuns: replaced(before.gateRuns, decision.gateRuns, (one) => one.id),
    attempts: [
      ...before.attempts.map((one) => ({ ...one, result: settled.get(one.operationId) ?? one.result })),
      ...decision.newAttempts,
    ],
    approvals: [...before.approvals, ...decision.newApprovals],
    skips: replaced(before.skips, decision.skips, (one) => one.id),
    locks: [...locks, ...decision.takenLocks.filter((lock) => !decision.releasedLocks.includes(lock.id))],
    run: before.run,
  };
  const place = placeOf(world, promotion.environment);
  const fences = [...part.locks.map((lock) => lock.fence.n), ...part.attempts.map((one) => one.fence?.n ?? 0)];
  const nextPlace: Place = {
    ...place,
    status: decision.environment ?? place.status,
    lastFence: Math.max(place.lastFence, ...fences),
    lastTicket: Math.max(place.lastTicket, promotion.ticket ?? 0),
  };
  const wake = (one: Part): Part => (decision.wakesEnvironment && isAsleep(one, promotion) ? dueNow(one) : one);
  return {
    ...world,
    parts: world.parts.map((one, other) => (other === index ? tidy(part) : wake(one))),
    places: withPlace(world, nextPlace),
    debts: replaced(world.debts, decision.debts, (one) => `${one.promotionId}${one.gate}`),
  };
}

export function withPlace(world: World, place: Place): readonly Place[] {
  return world.places.map((one) => (one.status.name === place.status.name ? place : one));
}

export function withPart(world: World, index: number, part: Part): World {
  return { ...world, parts: world.parts.map((one, other) => (other === index ? part : one)) };
}

export function dueNow(part: Part): Part {
  return { ...part, promotion: { ...part.promotion, nextActionAtMs: NOW_MS } };
}

function isAsleep({ promotion: one, run }: Part, { id, environment }: Promotion): boolean {
  const isWaiting = one.step === 'evaluate_gates' || one.step === 'acquire_locks';
  return one.environment === environment && one.id !== id && run === null && isWaiting && !isTerminal(one.status);
}

function replaced<T>(before: readonly T[], changed: readonly T[], keyOf: (one: T) => string): readonly T[] {
  if (changed.length === 0) return before;
  const rows = new Map(before.map((one) => [keyOf(one), one]));
  for (const one of changed) rows.set(keyOf(one), one);
  return [...rows.values()];
}

/** Drops what no rule reads, and names rows by their place. */
export function tidy(part: Part): Part {
  const { promotion } = part;
  const runName = (id: string | null): GateRun['id'] | null => {
    const run = part.gateRuns.find((one) => one.id === id);
    // Named as every source names ids.
    return run ? (`gtr_${run.gate}${run.round}` as GateRun['id']) : null;
  };
  const named = <T extends { readonly gateRunId: GateRun['id'] }>(row: T): T => ({
    ...row,
    gateRunId: runName(row.gateRunId) ?? row.gateRunId,
  });
  return {
    promotion: {
      ...promotion,
      createdAtMs: NOW_MS,
      lastProgressAtMs: NOW_MS,
      inProgressSinceMs: NOW_MS,
      version: VERSION,
      claimEpoch: 1,
      chainHead: null,
      chainLength: 0,
      endedAtMs: promotion.endedAtMs === null ? null : NOW_MS,
      cancelRequestedAtMs: promotion.cancelRequestedAtMs === null ? null : NOW_MS,
      ending: promotion.ending && { code: promotion.ending.code, message: '' },
    },
    steps: part.steps.map((one) => ({
      ...one,
      // Only the one that runs has a past that is read.
      startedAtMs: one.step === promotion.step || one.startedAtMs === null ? one.startedAtMs : NOW_MS,
      endedAtMs: one.endedAtMs === null ? null : NOW_MS,
      message: '',
    })),
    gateRuns: part.gateRuns.map((one) => ({
      ...one,
      id: runName(one.id) ?? one.id,
      startedAtMs: NOW_MS,
      verdictAtMs: one.verdictAtMs === null ? null : NOW_MS,
      // The reason of an expiry is counted by the rules.
      message: one.state === 'expired' ? one.message : '',
    })),
    attempts: part.attempts.map((one) => ({
      ...one,
      gateRunId: runName(one.gateRunId),
      result: one.result && tidyResult(one.result),
      startedAtMs: one.result === null ? one.startedAtMs : NOW_MS,
      deadlineAtMs: one.result === null ? one.deadlineAtMs : NOW_MS + (one.deadlineAtMs - one.startedAtMs),
    })),
    approvals: part.approvals.map((one) => ({ ...named(one), id: one.id, atMs: NOW_MS })),
    skips: part.skips.map((one) => ({ ...named(one), requestedAtMs: NOW_MS, decidedAtMs: one.decidedAtMs && NOW_MS })),
    locks: part.locks.map((one) => ({ ...one, acquiredAtMs: NOW_MS })),
    run: part.run,
  };
}

function tidyResult(result: AttemptResult): AttemptResult {
  return { ...result, code: '', message: '', output: '', endedAtMs: NOW_MS };
}
