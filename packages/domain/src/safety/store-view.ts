/** A store's rows by the keys that the rules look them up by, made once per pass. */
import { compareFences, type Fence } from '../locks/fence.ts';
import type { EnvironmentStatus, GateRun } from '../promotion/promotion.ts';
import { STEPS } from '../promotion/status.ts';
import { baseReleaseOf } from '../promotion/scope.ts';
import type { Release } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import type { PromotionId, ReleaseId, WorkerId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type {
  PromotionRecord,
  StoredAttempt,
  StoredLock,
  StoredOutcome,
  StoredWorker,
  StoreState,
} from './store-state.ts';
import type { RuleName } from './violation.ts';

/** The newest of an environment are compared with what it says; there may be very many. */
export const COMPLETIONS_COMPARED_MAX = 100;

/**
 * Hashes that were computed before, by the event or definition that they are of, with what each was chained to. Kept
 * between passes over one store it spares the hashing of what did not change; both are values that never change.
 */
export type HashMemo = WeakMap<object, { own?: KnownHash; link?: KnownHash }>;

interface KnownHash {
  readonly after: Digest | null;
  readonly hash: Digest;
}

export interface StoreView {
  readonly state: StoreState;
  readonly nowMs: InstantMs;
  readonly hashes: HashMemo;
  readonly byId: ReadonlyMap<PromotionId, PromotionRecord>;
  readonly byEnvironment: ReadonlyMap<string, readonly PromotionRecord[]>;
  readonly releases: ReadonlyMap<ReleaseId, Release>;
  readonly workers: ReadonlyMap<WorkerId, StoredWorker>;
  readonly environments: ReadonlyMap<string, EnvironmentStatus>;
  /** Live and released, by promotion. */
  readonly locks: ReadonlyMap<PromotionId, readonly StoredLock[]>;
  readonly locksByResource: ReadonlyMap<string, readonly StoredLock[]>;
  /** Operations that change targets, of one environment, by their fence and then by their start. */
  operationsIn(environment: string): readonly FencedOperation[];
  /** Completed promotions of one environment, the latest first. */
  completionsIn(environment: string): readonly PromotionRecord[];
}

export interface FencedOperation {
  readonly record: PromotionRecord;
  readonly attempt: StoredAttempt;
  readonly fence: Fence;
}

/** What a rule found: which row, and what is wrong with it. */
export interface Found {
  readonly subject: string;
  readonly message: string;
}

/** A rule about one promotion, its rows, and what they point to. */
export interface PromotionRule {
  readonly name: RuleName;
  find(record: PromotionRecord, view: StoreView): readonly Found[];
}

/** A rule about what belongs to no single promotion. */
export interface StoreRule {
  readonly name: RuleName;
  find(view: StoreView): readonly Found[];
}

export function makeStoreView(state: StoreState, nowMs: InstantMs, hashes: HashMemo = new WeakMap()): StoreView {
  const byEnvironment = groupBy(state.promotions, (one) => one.promotion.environment);
  const recordsIn = (environment: string): readonly PromotionRecord[] => byEnvironment.get(environment) ?? [];
  return {
    state,
    nowMs,
    hashes,
    byId: new Map(state.promotions.map((one) => [one.promotion.id, one])),
    byEnvironment,
    releases: new Map(state.releases.map((one) => [one.id, one])),
    workers: new Map(state.workers.map((one) => [one.id, one])),
    environments: new Map(state.environments.map((one) => [one.name, one])),
    locks: groupBy(state.locks, (one) => one.promotionId),
    locksByResource: groupBy(state.locks, (one) => one.resource),
    operationsIn: remember((environment) => recordsIn(environment).flatMap(operationsOf).sort(byFence)),
    completionsIn: remember((environment) =>
      recordsIn(environment)
        .filter(({ promotion }) => promotion.status === 'completed')
        .sort(
          ({ promotion: a }, { promotion: b }) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0) || (a.id < b.id ? 1 : -1),
        ),
    ),
  };
}

/** `deploy` and `rollback` change what a target runs. */
export function isOperation({ purpose }: Pick<StoredAttempt, 'purpose'>): boolean {
  return purpose === 'deploy' || purpose === 'rollback';
}

function operationsOf(record: PromotionRecord): FencedOperation[] {
  return record.attempts.flatMap((attempt) =>
    attempt.fence !== null && isOperation(attempt) ? [{ record, attempt, fence: attempt.fence }] : [],
  );
}

function byFence(a: FencedOperation, b: FencedOperation): number {
  return compareFences(a.fence, b.fence) || a.attempt.startedAtMs - b.attempt.startedAtMs;
}

function remember<Value>(make: (key: string) => Value): (key: string) => Value {
  const made = new Map<string, Value>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

function groupBy<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

export interface HashOf {
  /** The event or definition. */
  readonly of: object;
  /** Its hash of its own, or the one by which it hangs in the global chain. */
  readonly slot: 'own' | 'link';
  readonly after: Digest | null;
}

/** Computed once as long as the value lives. */
export function hashOnce(view: StoreView, { of, slot, after }: HashOf, compute: () => Digest): Digest {
  const entry = view.hashes.get(of) ?? {};
  const known = entry[slot];
  if (known && known.after === after) return known.hash;
  const hash = compute();
  entry[slot] = { after, hash };
  view.hashes.set(of, entry);
  return hash;
}

/** The outcome that counts; null while the attempt is open. */
export function countedOutcome(attempt: StoredAttempt): StoredOutcome | null {
  return attempt.outcomes.find((one) => !one.isLate) ?? null;
}

export function liveLocksOf(view: StoreView, id: PromotionId): readonly StoredLock[] {
  return (view.locks.get(id) ?? []).filter((lock) => lock.releasedAtMs === null);
}

/**
 * When it entered `deploy` with the right to: what was decided then is looked at from there on. Null before, and while it is
 * back in an earlier step, where its gates may be asked anew.
 */
export function deployStartOf({ promotion, steps }: PromotionRecord): InstantMs | null {
  if (STEPS.indexOf(promotion.step) < STEPS.indexOf('deploy')) return null;
  return steps.find((run) => run.step === 'deploy')?.startedAtMs ?? null;
}

/** The newest round of that gate. */
export function newestRun({ gateRuns }: PromotionRecord, gate: string): GateRun | undefined {
  return gateRuns.filter((run) => run.gate === gate).sort((a, b) => b.round - a.round || (a.id < b.id ? 1 : -1))[0];
}

/** The release that holds a component. */
export function carries({ releases }: StoreView, releaseId: ReleaseId, component: string): boolean {
  return releases.get(releaseId)?.components.some((one) => one.name === component) ?? false;
}

/** The release that a component is of in a promotion's base. */
export function baseOf(view: StoreView, baseId: ReleaseId | null, component: string): ReleaseId | null {
  if (baseId === null) return null;
  return baseReleaseOf(baseId, component, (releaseId, name) => carries(view, releaseId, name));
}

/** It excludes, or excluded, others from the components of its release only. */
export function isByComponent(view: StoreView, { promotion: { id, environment } }: PromotionRecord): boolean {
  return (view.locks.get(id) ?? []).some(({ resource }) => resource.startsWith(`environment:${environment}/`));
}

/** A rule that holds or does not, with the promotion as its subject. */
export function unless(holds: boolean, record: PromotionRecord, message: string): readonly Found[] {
  return holds ? [] : [{ subject: record.promotion.id, message }];
}
