/**
 * A small closed world: promotions with all their rows, environments with their targets, and who works on what. `NOW_MS`
 * never moves; when time passes, every moment comes nearer instead, so that worlds which differ by nothing but their date
 * are one. A promotion and an environment are values of their own (`Part`, `Place`): most moves change one of each.
 */
import {
  type Approval,
  type Attempt,
  type DecideContext,
  type Decision,
  type EnvironmentGuard,
  type EnvironmentStatus,
  type GateDebt,
  type GateRun,
  type Id,
  type IdPrefix,
  type IdSource,
  isTerminal,
  type Lock,
  NO_DEPENDENCIES,
  type Promotion,
  type PromotionRecord,
  type PromotionSnapshot,
  type Release,
  type Settings,
  type Skip,
  type StepRun,
} from '@stella/domain';
import type { AcceptedOperation } from '../../src/ports/target.ts';

export const NOW_MS = Date.UTC(2026, 0, 1);

/** What a worker has of a promotion; which worker it is, is known to the world alone. */
export interface Run {
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

/** An environment, its target, and what is owed there. */
export interface Place {
  readonly status: EnvironmentStatus;
  /** The pair that the target stores, and how that operation ended. */
  readonly accepted: AcceptedOperation | null;
  readonly outcome: 'succeeded' | 'failed' | null;
  /** The highest fence that the target ever stored; it forgets, the search does not. */
  readonly highest: number;
  /** Release that the target runs. */
  readonly runs: Release['id'] | null;
  /** Operations that nobody waits for any more and that may still come there, or still switch. */
  readonly loose: readonly Loose[];
  readonly debts: readonly GateDebt[];
  readonly lastFence: number;
  readonly lastTicket: number;
}

export interface Loose {
  readonly operationId: string;
  readonly fence: number;
  readonly release: Release['id'];
  readonly hasArrived: boolean;
}

/** What never changes. */
export interface Stage {
  readonly releases: ReadonlyMap<string, Release>;
  readonly settings: Settings;
  /** The promotions that brought there what the environments run at the start. */
  readonly past: readonly PromotionRecord[];
}

/** As much of the other promotion as one may see of it. */
export interface Other {
  readonly id: Promotion['id'];
  /** It is in the same environment and holds its lock. */
  readonly holds: Lock | null;
  /** It is in the same environment and waits for its lock with this. */
  readonly ticket: number | null;
  readonly hasEnded: boolean;
}

/** One promotion and all that its next move may depend on. */
export interface Scene {
  readonly stage: Stage;
  readonly part: Part;
  readonly place: Place;
  /** Where its release must have completed before. */
  readonly predecessor: Place | null;
  readonly other: Other;
  readonly maySkip: boolean;
}

export function otherOf({ promotion, locks }: Part, environment: string): Other {
  const isHere = promotion.environment === environment;
  const waits = isHere && promotion.step === 'acquire_locks' && !isTerminal(promotion.status);
  return {
    id: promotion.id,
    holds: isHere ? (locks.find((lock) => lock.mode === 'exclusive') ?? null) : null,
    ticket: waits ? promotion.ticket : null,
    hasEnded: isTerminal(promotion.status),
  };
}

export function snapshotOf({ stage, part, place, predecessor }: Scene): PromotionSnapshot {
  const { promotion } = part;
  const { status } = place;
  const { run: _worker, ...rows } = part;
  const release = releaseOf(stage, promotion.releaseId);
  const hasCompleted = (predecessor?.status.releaseNumber ?? 0) >= release.number;
  return {
    ...rows,
    release,
    debts: place.debts,
    environment: status,
    base: status.releaseId === null ? null : releaseOf(stage, status.releaseId),
    predecessors: predecessor
      ? [{ ...predecessor.status, completedAtMs: hasCompleted ? NOW_MS : null, artifactsSinceMs: null, breaks: [] }]
      : [],
    dependencies: NO_DEPENDENCIES,
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

export function guardOf({ place, other }: Scene): EnvironmentGuard {
  return {
    holder: other.holds ? { lockId: other.holds.id, promotionId: other.id, isStale: false } : null,
    waiters:
      other.ticket === null
        ? []
        : [{ promotionId: other.id, ticket: other.ticket, priority: 'normal', components: ['web'] }],
    quota: null,
    ticket: place.lastTicket + 1,
    fence: { epoch: 1, n: place.lastFence + 1 },
  };
}

/** New rows are named by their place afterwards (`canonical.ts`). */
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

/** The rows after the decision was written, with the moments and the names that it gave them. */
export function writeDecision({ part: before, place }: Scene, decision: Decision): { part: Part; place: Place } {
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
  const fences = [...part.locks.map((lock) => lock.fence.n), ...part.attempts.map((one) => one.fence?.n ?? 0)];
  return {
    part,
    place: {
      ...place,
      status: decision.environment ?? place.status,
      debts: replaced(place.debts, decision.debts, (one) => one.id),
      lastFence: Math.max(place.lastFence, ...fences),
      lastTicket: Math.max(place.lastTicket, promotion.ticket ?? 0),
    },
  };
}

function replaced<T>(before: readonly T[], changed: readonly T[], keyOf: (one: T) => string): readonly T[] {
  if (changed.length === 0) return before;
  const rows = new Map(before.map((one) => [keyOf(one), one]));
  for (const one of changed) rows.set(keyOf(one), one);
  return [...rows.values()];
}

/** It waits for its environment and nobody looks at it: whoever gives the environment back makes it due. */
export function isAsleep({ promotion, run }: Part): boolean {
  const isWaiting = promotion.step === 'evaluate_gates' || promotion.step === 'acquire_locks';
  return run === null && isWaiting && !isTerminal(promotion.status);
}

export function dueNow(part: Part): Part {
  return { ...part, promotion: { ...part.promotion, nextActionAtMs: NOW_MS } };
}
