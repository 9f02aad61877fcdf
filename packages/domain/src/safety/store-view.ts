/** A store's rows by the keys that the rules look them up by, made once per pass. */
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import type { Release } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import type { PromotionId, ReleaseId, WorkerId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type {
  PromotionRecord,
  StoredAttempt,
  StoredEvent,
  StoredLock,
  StoredOutcome,
  StoredWorker,
  StoreState,
} from './store-state.ts';
import type { RuleName } from './violation.ts';

/**
 * Hashes that were found right before, by event: the hash that each was chained to. Kept between passes over one store it
 * spares the hashing of what did not change; events are values that never change.
 */
export type HashMemo = WeakMap<StoredEvent, { own?: Digest | null; global?: Digest | null }>;

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
  return {
    state,
    nowMs,
    hashes,
    byId: new Map(state.promotions.map((one) => [one.promotion.id, one])),
    byEnvironment: groupBy(state.promotions, (one) => one.promotion.environment),
    releases: new Map(state.releases.map((one) => [one.id, one])),
    workers: new Map(state.workers.map((one) => [one.id, one])),
    environments: new Map(state.environments.map((one) => [one.name, one])),
    locks: groupBy(state.locks, (one) => one.promotionId),
    locksByResource: groupBy(state.locks, (one) => one.resource),
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

/** The outcome that counts; null while the attempt is open. */
export function countedOutcome(attempt: StoredAttempt): StoredOutcome | null {
  return attempt.outcomes.find((one) => !one.isLate) ?? null;
}

export function liveLocksOf(view: StoreView, id: PromotionId): readonly StoredLock[] {
  return (view.locks.get(id) ?? []).filter((lock) => lock.releasedAtMs === null);
}

/** A rule that holds or does not, with the promotion as its subject. */
export function unless(holds: boolean, record: PromotionRecord, message: string): readonly Found[] {
  return holds ? [] : [{ subject: record.promotion.id, message }];
}
