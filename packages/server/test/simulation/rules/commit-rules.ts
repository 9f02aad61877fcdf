/**
 * What every commit must keep, whoever made it, from the rows before and after: a terminal promotion is never touched and
 * versions grow by one (S5), outcomes and verdicts are set once and were really given (S7, S10, S17), locks exclude
 * (S1, L4), nobody waits without being woken (L1, L4), and a whole environment runs what it says (S10).
 */
import {
  type Attempt,
  type EnvironmentStatus,
  type HashMemo,
  isTerminal,
  type Lock,
  priorityRank,
  type Promotion,
  type PromotionId,
  type Release,
  STATUS_TRANSITIONS,
  type Step,
  violationsOf,
  isAttemptKind,
} from '@stella/domain';
import {
  type EventCache,
  insist,
  isRowLocked,
  type MemoryState,
  type StoredPromotion,
  toStoreState,
} from '@stella/testkit';
import type { Journal } from '../journal.ts';
import type { Machine } from '../simulated-targets.ts';

/** A waiter whose turn it is looks again within this (safety L4). */
const WAKE_MS_MAX = 2_000;
const STEPS_UNDER_LOCK: ReadonlySet<Step> = new Set(['preflight', 'deploy', 'verify', 'rollback']);

export interface CommitWorld {
  readonly state: MemoryState;
  readonly journal: Journal;
  readonly machines: ReadonlyMap<string, Machine>;
  /** The rules of the product itself are asked, too, which takes time. */
  readonly isAudited: boolean;
}

export interface CommitRules {
  /** Right after a commit was applied. Throws at the first broken promise. */
  check(nowMs: number): void;
  /** Once, when everything has ended. */
  checkEnd(nowMs: number): void;
  /** The row as the last commit left it. */
  last(id: PromotionId): StoredPromotion | undefined;
}

export function makeCommitRules(world: CommitWorld): CommitRules {
  const { state } = world;
  const seen = new Map<PromotionId, StoredPromotion>();
  const memory: RuleMemory = { events: new WeakMap(), hashes: new WeakMap() };
  let environments = [...state.environments.values()];
  let locks = [...state.locks.values()];
  return {
    last: (id) => seen.get(id),
    checkEnd: (nowMs) => checkEnd(world, nowMs),
    check(nowMs) {
      const changed: StoredPromotion[] = [];
      for (const [id, row] of state.promotions) {
        const before = seen.get(id);
        if (before === row) continue;
        changed.push(row);
        if (before) checkChange(world, before, row);
        checkAnswers(world, before, row);
        seen.set(id, row);
      }
      if (world.isAudited && changed.length > 0) checkProperties(state, memory, { changed, nowMs });
      for (const id of seen.keys()) insist('S5', state.promotions.has(id), () => `${id} is gone`);
      const locksNow = [...state.locks.values()];
      const environmentsNow = [...state.environments.values()];
      if (changed.length === 0 && isSame(locks, locksNow) && isSame(environments, environmentsNow)) return;
      locks = locksNow;
      environments = environmentsNow;
      const live = locksNow.filter((lock) => lock.releasedAtMs === null);
      checkExclusion(world, live);
      for (const { promotion } of state.promotions.values()) checkHolding(state, promotion, live);
      for (const environment of environmentsNow) {
        checkTurn(state, environment, { live, nowMs });
        checkWhole(world, environment);
      }
    },
  };
}

/** The rules of the product itself, over the whole store; and the events of all are the events of each (S6). */
function checkEnd({ state, isAudited }: CommitWorld, nowMs: number): void {
  if (isAudited) {
    const [first] = violationsOf(toStoreState(state), nowMs);
    insist(first?.property ?? '', !first, () => `${first?.rule} of ${first?.subject}: ${first?.message}`);
  }
  const known = new Set<string>();
  for (const { events } of state.promotions.values()) for (const { hash } of events) known.add(hash);
  let count = 0;
  for (const { event } of state.events.values()) {
    if (event.promotionId === null) continue;
    count += 1;
    insist('S6', known.has(event.hash), () => `${event.type} of ${event.promotionId} was written without its change`);
  }
  insist('S6', count === known.size, () => `${known.size} events in promotions, ${count} in all`);
}

interface RuleMemory {
  readonly events: EventCache;
  readonly hashes: HashMemo;
}

/**
 * The properties of `docs/safety.md` by the predicates that production asks as SQL, for what has changed. Safety at each
 * commit; that waits end is asked when faults have ended, by `deadline-rules.ts`.
 */
function checkProperties(
  state: MemoryState,
  { events, hashes }: RuleMemory,
  { changed, nowMs }: { readonly changed: readonly StoredPromotion[]; readonly nowMs: number },
): void {
  const only = new Set(changed.map(({ promotion }) => promotion.id));
  const found = violationsOf(toStoreState(state, events), nowMs, { only, hashes });
  const first = found.find(({ property }) => property.startsWith('S'));
  insist(first?.property ?? '', !first, () => `${first?.rule} of ${first?.subject}: ${first?.message}`);
}

function isSame(before: readonly unknown[], after: readonly unknown[]): boolean {
  return before.length === after.length && before.every((one, index) => one === after[index]);
}

/** An approval that pays what a skipped gate owes is added to an ended promotion; nothing else of it changes. */
function isApprovedAfterwards(before: StoredPromotion, after: StoredPromotion): boolean {
  const { approvals: old, ...rest } = before;
  const { approvals: added, ...restNow } = after;
  return isSame(Object.values(rest), Object.values(restNow)) && isSame(old, added.slice(0, old.length));
}

function checkChange({ journal, state }: CommitWorld, before: StoredPromotion, after: StoredPromotion): void {
  const from = before.promotion;
  const to = after.promotion;
  if (isTerminal(from.status) && isApprovedAfterwards(before, after)) return;
  insist('S5', !isTerminal(from.status), () => `${from.id} was ${from.status} and was written again`);
  insist('S5', to.version === from.version + 1, () => `${from.id} has version ${to.version} after ${from.version}`);
  const isListed = to.status === from.status || STATUS_TRANSITIONS[from.status].includes(to.status);
  insist('S5', isListed, () => `${from.id} went from ${from.status} to ${to.status}`);
  const isPassedOn = from.workerId !== null && to.workerId !== null && to.workerId !== from.workerId;
  if (isPassedOn) checkPassedOn(state, from);
  const isRevoked = to.ending?.code === 'lock.revoked' && from.ending?.code !== 'lock.revoked';
  insist('S3', !isRevoked || to.claimEpoch > from.claimEpoch, () => `${from.id} was revoked, its claim was not`);
  insist('S3', to.claimEpoch >= from.claimEpoch, () => `the claim epoch of ${from.id} went back`);
  const isAppended = before.events.every((event, index) => event === after.events[index]);
  insist('S13', isAppended, () => `an event of ${from.id} was changed or removed`);
  if (to.status !== from.status) journal.reach(`status.${to.status}`);
  if (to.step !== from.step) journal.reach(`step.${to.step}`);
  for (const event of after.events.slice(before.events.length)) journal.reach(`event.${event.type}`);
  for (const [id, run] of before.gateRuns) {
    const now = after.gateRuns.get(id);
    insist('S7', now !== undefined, () => `gate run ${id} is gone`);
    if (run.verdict === null || now === run) continue;
    const isKept =
      now?.verdict === run.verdict && now.verdictAtMs === run.verdictAtMs && now.validUntilMs === run.validUntilMs;
    insist('S7', isKept, () => `the verdict of ${run.gate} of ${from.id} was ${run.verdict} and changed`);
  }
  for (const [operationId, attempt] of before.attempts) {
    const now = after.attempts.get(operationId);
    insist('S17', now !== undefined, () => `attempt ${operationId} is gone`);
    if (attempt.result !== null) insist('S17', now?.result === attempt.result, () => `${operationId} ended twice`);
  }
}

/** A takeover is claimed only from a worker that was declared dead. */
function checkPassedOn({ workers }: MemoryState, { id, workerId }: Promotion): void {
  const word = workerId === null ? 'nobody' : workers.get(workerId)?.state;
  insist('S3', word !== 'live', () => `${id} was claimed from ${workerId}, which is live`);
}

/** Outcomes that came with this commit are what the other side really answered. */
function checkAnswers({ journal }: CommitWorld, before: StoredPromotion | undefined, after: StoredPromotion): void {
  const { promotion } = after;
  const verdictsByRun = new Map<string, Set<string>>();
  for (const attempt of after.attempts.values()) {
    if (attempt.result === null) continue;
    if (before?.attempts.get(attempt.operationId) !== attempt) checkAnswer(journal, promotion, attempt);
    if (attempt.gateRunId === null) continue;
    const verdicts = verdictsByRun.get(attempt.gateRunId) ?? new Set();
    verdicts.add(attempt.result.outcome);
    verdictsByRun.set(attempt.gateRunId, verdicts);
  }
  for (const run of after.gateRuns.values()) {
    if (!isAttemptKind(run.kind) || run.verdict === null || before?.gateRuns.get(run.id) === run) continue;
    const wasGiven = verdictsByRun.get(run.id)?.has(run.verdict) ?? false;
    insist('S7', wasGiven, () => `no attempt at ${run.gate} of ${promotion.id} ended ${run.verdict}`);
  }
}

function checkAnswer(journal: Journal, promotion: Promotion, { operationId, purpose, result }: Attempt): void {
  journal.reach(`effect.${purpose}`);
  journal.reach(`outcome.${result?.outcome}`);
  if (result?.code) journal.reach(result.code);
  const outcome = result?.outcome;
  if (purpose === 'gate' && (outcome === 'passed' || outcome === 'failed')) {
    const wasGiven = journal.verdicts.get(operationId)?.has(outcome) ?? false;
    insist('S7', wasGiven, () => `no gate answered ${outcome} to ${operationId}`);
  }
  if ((purpose === 'deploy' || purpose === 'rollback') && outcome === 'succeeded') {
    const isDone = journal.operations.get(operationId) === 'succeeded';
    insist('S10', isDone, () => `${operationId} of ${promotion.id} succeeded, its target says otherwise`);
  }
}

/** S1: at most one live lock on an exclusive resource; exclusive excludes shared, and a whole environment its components. */
function checkExclusion({ journal }: CommitWorld, live: readonly Lock[]): void {
  const exclusive = new Map<string, PromotionId>();
  for (const lock of live) {
    if (lock.mode !== 'exclusive') continue;
    const other = exclusive.get(lock.resource);
    insist('S1', other === undefined, () => `${lock.resource} is held by ${other} and ${lock.promotionId}`);
    exclusive.set(lock.resource, lock.promotionId);
  }
  for (const lock of live) {
    const isShared = lock.mode === 'shared' && exclusive.has(lock.resource);
    insist('S1', !isShared, () => `${lock.resource} is shared and exclusive`);
  }
  for (const [resource, id] of exclusive) {
    const [whole = ''] = resource.split('/');
    const above = whole === resource ? undefined : exclusive.get(whole);
    insist('S1', above === undefined, () => `${resource} is held by ${id}, and all of ${whole} by ${above}`);
    const isBeside = [...exclusive].some(([other, holder]) => holder !== id && other.startsWith(`${whole}/`));
    if (whole !== resource && isBeside) journal.reach('locks.side_by_side');
  }
}

/** The whole environment, or each component of the release. */
function placesWanted({ environments, releases }: MemoryState, { environment, releaseId }: Promotion): string[] {
  if (environments.get(environment)?.concurrency !== 'per_component') return [`environment:${environment}`];
  return (releases.get(releaseId)?.components ?? []).map(({ name }) => `environment:${environment}/${name}`);
}

/** Preflight, deploy, verify and rollback hold the locks; nothing else does. */
function checkHolding(state: MemoryState, promotion: Promotion, live: readonly Lock[]): void {
  const { id, step, status, ticket, preflightRevision } = promotion;
  const own = live.filter((lock) => lock.promotionId === id);
  // A preflight may come before the locks.
  const mustHold = !isTerminal(status) && STEPS_UNDER_LOCK.has(step) && preflightRevision === null;
  if (own.length > 0) insist('L4', mustHold, () => `${id} is ${status} in ${step} and holds ${own.length} locks`);
  if (!mustHold) return;
  const holds = placesWanted(state, promotion).every((place) =>
    own.some((lock) => lock.resource === place && lock.mode === 'exclusive'),
  );
  insist('S1', holds, () => `${id} is in ${step} without its lock`);
  insist('L4', ticket !== null, () => `${id} is in ${step} and has no ticket`);
  const fences = new Set(own.map(({ fence }) => `${fence.epoch}.${fence.n}`));
  insist('S2', fences.size === 1, () => `the locks of ${id} have different fences`);
}

/** L4: whoever has nobody in its way, neither a holder nor one before it in the queue, is due, or is being looked at. */
function checkTurn(
  state: MemoryState,
  { name, stop }: EnvironmentStatus,
  { live, nowMs }: { live: readonly Lock[]; nowMs: number },
): void {
  // Nobody's turn, until somebody has cured it; that commit wakes them.
  if (stop !== null) return;
  const waiters: Promotion[] = [];
  for (const { promotion } of state.promotions.values()) {
    const isWaiting = promotion.environment === name && promotion.step === 'acquire_locks' && promotion.ticket !== null;
    if (isWaiting) waiters.push(promotion);
  }
  if (waiters.length === 0) return;
  const whole = `environment:${name}`;
  const taken = live.flatMap(({ resource }) => (resource.split('/')[0] === whole ? [resource] : []));
  for (const waiter of waiters.sort(byTurn)) {
    const places = placesWanted(state, waiter);
    const isFree = places.every((place) =>
      taken.every((other) => other !== place && other !== whole && place !== whole),
    );
    taken.push(...places);
    if (!isFree || waiter.workerId !== null || isRowLocked(state, waiter.id)) continue;
    const { id, setAside, quotaWait, nextActionAtMs } = waiter;
    // A quota that is used up is what it waits for: until an hour or a day is over, or somebody ends.
    if (quotaWait !== null) continue;
    const sleepsMs = (nextActionAtMs ?? nowMs) - nowMs;
    const isDue = sleepsMs <= WAKE_MS_MAX || setAside !== null;
    insist('L4', isDue, () => `${places.join(', ')} is free, and ${id} sleeps for ${sleepsMs} ms`);
  }
}

function byTurn(a: Promotion, b: Promotion): number {
  return priorityRank(a.priority) - priorityRank(b.priority) || (a.ticket ?? 0) - (b.ticket ?? 0);
}

/** Where nobody deploys a component that is said to be whole, every target of it runs what the environment says. */
function checkWhole({ state, machines }: CommitWorld, { name, components }: EnvironmentStatus): void {
  const touched = new Set<string>();
  for (const { promotion } of state.promotions.values()) {
    if (promotion.environment !== name || !isTouching(promotion)) continue;
    for (const component of state.releases.get(promotion.releaseId)?.components ?? []) touched.add(component.name);
  }
  for (const { component, releaseId, state: word } of components) {
    if (word !== 'whole' || touched.has(component)) continue;
    const promised = digestIn(releaseId === null ? null : (state.releases.get(releaseId) ?? null), component);
    for (const target of state.definitions.get(name)?.definition.targets ?? []) {
      if (target.kind === 'compose' || target.component !== component) continue;
      const found = machines.get(target.name)?.digest ?? null;
      insist('S10', found === promised, () => `${target.name} runs ${found}, ${name} says ${promised}`);
    }
  }
}

function isTouching({ status, step }: Promotion): boolean {
  return !isTerminal(status) && (step === 'deploy' || step === 'verify' || step === 'rollback');
}

function digestIn(release: Release | null, component: string): string | null {
  return release?.components.find((one) => one.name === component)?.digest ?? null;
}
