/**
 * What must hold whenever no transaction is open, looked at between all writes: who holds locks (S1, L4), that nobody
 * waits without being woken (L1, L4), that a status says what is waited for, and that an environment which is said to be
 * whole really runs what it says (S10).
 */
import {
  type EnvironmentStatus,
  type GateRun,
  type HashMemo,
  isTerminal,
  type Lock,
  priorityRank,
  type Promotion,
  type PromotionStatus,
  type Release,
  type Step,
  STEPS,
  violationsOf,
} from '@stella/domain';
import { liveLocksOf } from '../memory/memory-reads.ts';
import { isRowLocked, type MemoryState, type StoredPromotion } from '../memory/memory-state.ts';
import type { MemoryTarget } from './memory-target.ts';
import { insist } from './safety-violation.ts';
import { type EventCache, toStoreState } from '../memory/to-store-state.ts';

/** A waiter whose turn it is looks again within this (safety L4). */
const WAKE_MS_MAX = 2_000;
/** After a cancellation everything under way ends by two deadlines of the deploy, and what a takeover may last. */
const CANCEL_SLACK_MS = 60_000;

const STEPS_UNDER_LOCK: ReadonlySet<Step> = new Set(['preflight', 'deploy', 'verify', 'rollback']);

export interface World {
  readonly state: MemoryState;
  /** What the rules of `domain/safety` remember between looks. */
  readonly memory: RuleMemory;
  readonly targetOf: (environment: string, target: string) => MemoryTarget;
}

export interface RuleMemory {
  readonly events: EventCache;
  readonly hashes: HashMemo;
  /** Rows that were looked at; a row that changes is another one. */
  readonly seen: WeakSet<StoredPromotion>;
}

export function makeRuleMemory(): RuleMemory {
  return { events: new WeakMap(), hashes: new WeakMap(), seen: new WeakSet() };
}

export function checkState(world: World, nowMs: number): void {
  const { state } = world;
  checkProperties(world, nowMs);
  for (const row of state.promotions.values()) {
    checkLocks(state, row.promotion);
    if (isTerminal(row.promotion.status)) continue;
    checkStatusWord(row);
    checkCancelled(row.promotion, nowMs);
  }
  for (const environment of state.environments.values()) {
    checkHolder(state, environment);
    checkTurn(state, environment, nowMs);
    if (environment.state === 'whole') checkWhole(world, environment);
  }
}

/** The properties of `docs/safety.md`, by the predicates that production uses as SQL, for what has changed. */
function checkProperties({ state, memory }: World, nowMs: number): void {
  const changed = [...state.promotions].filter(([, row]) => !memory.seen.has(row));
  if (changed.length === 0) return;
  for (const [, row] of changed) memory.seen.add(row);
  const scope = { hashes: memory.hashes, only: new Set(changed.map(([id]) => id)) };
  const [first] = violationsOf(toStoreState(state, memory.events), nowMs, scope);
  insist(first?.property ?? '', !first, () => `${first?.rule} of ${first?.subject}: ${first?.message}`);
}

/** Preflight, deploy, verify and rollback hold the locks; nothing else does, nor a preflight that comes before them. */
function checkLocks(state: MemoryState, promotion: Promotion): void {
  const { id, step, status, environment, ticket, preflightRevision } = promotion;
  const locks = liveLocksOf(state, id);
  const mustHold = !isTerminal(status) && STEPS_UNDER_LOCK.has(step) && preflightRevision === null;
  const holds = locks.some((lock) => lock.resource === `environment:${environment}` && lock.mode === 'exclusive');
  insist('L4', locks.length === 0 || mustHold, () => `${id} is ${status} in ${step} and holds ${locks.length} locks`);
  insist('S1', holds || !mustHold, () => `${id} is in ${step} without its lock`);
  const isEarly = step === 'precheck' || step === 'evaluate_gates' || preflightRevision !== null;
  insist('L4', ticket === null || !isEarly, () => `${id} is in ${step} and keeps ticket ${ticket}`);
  const fences = new Set(locks.map(({ fence }) => `${fence.epoch}.${fence.n}`));
  insist('S2', fences.size <= 1, () => `the locks of ${id} have different fences`);
}

/** S1, and that artifacts are never excluded while they are used. */
function checkHolder(state: MemoryState, { name }: EnvironmentStatus): void {
  const holders = liveEnvironmentLocks(state, name).map((lock) => lock.promotionId);
  insist('S1', holders.length <= 1, () => `${name} is held by ${holders.join(' and ')}`);
}

function liveEnvironmentLocks(state: MemoryState, name: string): Lock[] {
  return [...state.locks.values()].filter(
    (lock) => lock.releasedAtMs === null && lock.resource === `environment:${name}`,
  );
}

/** L4: when the environment is free, the first in the queue is due, or is being looked at. */
function checkTurn(state: MemoryState, { name }: EnvironmentStatus, nowMs: number): void {
  if (liveEnvironmentLocks(state, name).length > 0) return;
  const [first] = [...state.promotions.values()]
    .filter(({ promotion: one }) => one.environment === name && one.step === 'acquire_locks' && one.ticket !== null)
    .sort(
      ({ promotion: a }, { promotion: b }) =>
        priorityRank(a.priority) - priorityRank(b.priority) || (a.ticket ?? 0) - (b.ticket ?? 0),
    );
  if (!first || isRowLocked(state, first.promotion.id) || first.promotion.workerId !== null) return;
  const sleepsMs = (first.promotion.nextActionAtMs ?? nowMs) - nowMs;
  insist('L4', sleepsMs <= WAKE_MS_MAX, () => `${name} is free, and ${first.promotion.id} sleeps for ${sleepsMs} ms`);
}

const STATUS_ALLOWED: Readonly<Record<Exclude<PromotionStatus, 'in_progress'>, (row: StoredPromotion) => boolean>> = {
  queued: ({ promotion }) => promotion.step === 'acquire_locks' && promotion.ticket !== null,
  pending_approval: (row) => isWaitingFor(row, 'approval') && !isWaitingFor(row, 'http'),
  scheduled: (row) => isWaitingFor(row, 'soak') && !isWaitingFor(row, 'http') && !isWaitingFor(row, 'approval'),
  cancelling: ({ promotion }) =>
    promotion.cancelRequestedAtMs !== null && STEPS.indexOf(promotion.step) >= STEPS.indexOf('deploy'),
  completed: () => false,
  failed: () => false,
  rejected: () => false,
  cancelled: () => false,
  superseded: () => false,
  rolled_back: () => false,
};

/** The words of domain "Promotion status", from the rows alone. */
function checkStatusWord(row: StoredPromotion): void {
  const { status, step, id } = row.promotion;
  if (status === 'in_progress') {
    const isMachine = step !== 'evaluate_gates' || isWaitingFor(row, 'http');
    insist('status', isMachine, () => `${id} is in_progress in ${step} and no machine is asked`);
    return;
  }
  insist('status', STATUS_ALLOWED[status](row), () => `${id} is ${status} in ${step}`);
}

function isWaitingFor({ promotion, gateRuns }: StoredPromotion, kind: string): boolean {
  if (promotion.step !== 'evaluate_gates') return false;
  const isOpen = (run: GateRun): boolean => run.verdict === null && run.state !== 'skipped' && run.state !== 'expired';
  return [...gateRuns.values()].some((run) => run.kind === kind && isOpen(run));
}

/** L7: the end of a cancelled promotion has a deadline. */
function checkCancelled({ id, cancelRequestedAtMs, definition }: Promotion, nowMs: number): void {
  if (cancelRequestedAtMs === null) return;
  const limitMs = 2 * definition.deployDeadlineMs + CANCEL_SLACK_MS;
  const sinceMs = nowMs - cancelRequestedAtMs;
  insist('L7', sinceMs <= limitMs, () => `${id} was cancelled ${sinceMs} ms ago and has not ended`);
}

/** Nobody is deploying there, so every target runs what the environment says. */
function checkWhole({ state, targetOf }: World, environment: EnvironmentStatus): void {
  const here = [...state.promotions.values()].filter((row) => row.promotion.environment === environment.name);
  if (here.some(({ promotion }) => isTouching(promotion))) return;
  const release = environment.releaseId === null ? null : state.releases.get(environment.releaseId);
  for (const target of state.definitions.get(environment.name)?.definition.targets ?? []) {
    const promised = digestIn(release ?? null, target.component);
    const found = targetOf(environment.name, target.name).digest();
    insist('S10', found === promised, () => `${target.name} runs ${found}, ${environment.name} says ${promised}`);
  }
}

function isTouching({ status, step }: Promotion): boolean {
  return !isTerminal(status) && (step === 'deploy' || step === 'verify' || step === 'rollback');
}

function digestIn(release: Release | null, component: string): string | null {
  return release?.components.find((one) => one.name === component)?.digest ?? null;
}
