/**
 * The rules of the domain over the rows of this world. A rule that looked at nothing but one promotion's own rows holds for
 * that promotion wherever it stands, and is asked once; which rules these are is not listed but seen, by what they touch.
 */
import {
  makeStoreView,
  PROMOTION_RULES,
  type PromotionRecord,
  type PromotionRule,
  propertyOf,
  type RuleName,
  STORE_RULES,
  type StoredLock,
  type StoreState,
  type StoreView,
} from '@stella/domain';
import { DEAD_WORKER, LIVE_WORKER } from './canonical.ts';
import { NOW_MS, type Part, type Place, type Stage } from './world.ts';

const LEASE_MS = 60_000;
/** Two work at most, for there are two promotions; a third stands for all that are idle. */
const WORKERS: StoreState['workers'] = [
  { id: LIVE_WORKER, state: 'live', heartbeatAtMs: NOW_MS, leaseUntilMs: NOW_MS + LEASE_MS },
  { id: DEAD_WORKER, state: 'dead', heartbeatAtMs: NOW_MS, leaseUntilMs: NOW_MS },
];
/** A memo that outlives one view: definitions never change. */
const HASHES: StoreView['hashes'] = new WeakMap();

/** Rows as a store has them; without events, for the chain is not kept (`judge-write.ts`). */
export function recordOf({ locks: _locks, run: _run, ...rows }: Part): PromotionRecord {
  return {
    ...rows,
    approvals: rows.approvals.map(({ bindingsNow: _now, ...one }) => one),
    attempts: rows.attempts.map(({ result, ...one }) => ({
      ...one,
      outcomes: result === null ? [] : [{ ...result, isLate: false }],
    })),
    events: [],
  };
}

export interface Rows {
  readonly record: PromotionRecord;
  readonly locks: readonly StoredLock[];
}

export function rowsOf(part: Part): Rows {
  return { record: recordOf(part), locks: part.locks.map((lock) => ({ ...lock, releasedAtMs: null })) };
}

function storeOf(stage: Stage, rows: readonly Rows[], places: readonly Place[]): StoreState {
  return {
    installation: { epoch: 1, lastFenceNumber: Math.max(...places.map((place) => place.lastFence)) },
    promotions: [...rows.map((one) => one.record), ...stage.past],
    locks: rows.flatMap((one) => one.locks),
    environments: places.map((place) => place.status),
    breaks: [],
    releases: [...stage.releases.values()],
    workers: WORKERS,
    events: [],
    chain: { seq: 0, hash: null },
    idempotencyKeys: [],
  };
}

/** A view that notes whether anything but the promotion's own rows was looked at. */
class WatchedView implements StoreView {
  hasLookedFar = false;
  readonly nowMs: StoreView['nowMs'];
  readonly hashes: StoreView['hashes'];
  readonly releases: StoreView['releases'];
  readonly workers: StoreView['workers'];
  readonly locks: StoreView['locks'];
  readonly #whole: StoreView;

  constructor(whole: StoreView) {
    this.#whole = whole;
    this.nowMs = whole.nowMs;
    this.hashes = whole.hashes;
    this.releases = whole.releases;
    this.workers = whole.workers;
    this.locks = whole.locks;
  }

  get state(): StoreView['state'] {
    return this.#far().state;
  }

  get byId(): StoreView['byId'] {
    return this.#far().byId;
  }

  get byEnvironment(): StoreView['byEnvironment'] {
    return this.#far().byEnvironment;
  }

  get environments(): StoreView['environments'] {
    return this.#far().environments;
  }

  get locksByResource(): StoreView['locksByResource'] {
    return this.#far().locksByResource;
  }

  operationsIn(environment: string): ReturnType<StoreView['operationsIn']> {
    return this.#far().operationsIn(environment);
  }

  completionsIn(environment: string): ReturnType<StoreView['completionsIn']> {
    return this.#far().completionsIn(environment);
  }

  #far(): StoreView {
    this.hasLookedFar = true;
    return this.#whole;
  }
}

/** The rules about one promotion, asked of its rows alone. */
export function sceneRules(
  stage: Stage,
  part: Part,
  { place, released }: { place: Place; released: readonly StoredLock[] },
): { first: (record: PromotionRecord, isAsked: (rule: RuleName) => boolean) => string | null } {
  return {
    first: (record, isAsked) => {
      const rows = { record, locks: [...rowsOf(part).locks, ...released] };
      const view = makeStoreView(storeOf(stage, [rows], [place]), NOW_MS, HASHES);
      return judgeAlone(record, view, isAsked).broken;
    },
  };
}

interface Alone {
  readonly broken: string | null;
  /** Rules that looked further: they are asked again in each state. */
  readonly far: readonly PromotionRule[];
}

function judgeAlone(record: PromotionRecord, view: StoreView, isAsked: (rule: RuleName) => boolean): Alone {
  const far: PromotionRule[] = [];
  const own = new WatchedView(view);
  for (const rule of PROMOTION_RULES) {
    if (!isAsked(rule.name)) continue;
    own.hasLookedFar = false;
    const [found] = rule.find(record, own);
    if (own.hasLookedFar) far.push(rule);
    else if (found) return { broken: wordsOf(rule.name, found.message), far };
  }
  return { broken: null, far };
}

function wordsOf(rule: RuleName, message: string): string {
  return `${propertyOf(rule)}: ${rule}: ${message}`;
}

/** Events are judged when they are written. */
function isAboutRows(rule: RuleName): boolean {
  return !rule.startsWith('S6.') && !rule.startsWith('S13.');
}

export interface Judged extends Alone {
  readonly rows: Rows;
}

/** What can be said of a promotion wherever it stands. */
export function judgePart(stage: Stage, part: Part, place: Place): Judged {
  const rows = rowsOf(part);
  // Its rows were judged when it ended, and are not kept.
  if (part.promotion.endedAtMs !== null) return { rows, broken: null, far: [] };
  const view = makeStoreView(storeOf(stage, [rows], [place]), NOW_MS, HASHES);
  return { rows, ...judgeAlone(rows.record, view, isAboutRows) };
}

/** What is left to be said of a whole state. */
export function judgeTogether(stage: Stage, judged: readonly Judged[], places: readonly Place[]): string | null {
  const view = makeStoreView(
    storeOf(
      stage,
      judged.map((one) => one.rows),
      places,
    ),
    NOW_MS,
    HASHES,
  );
  for (const { far, rows } of judged) {
    for (const rule of far) {
      const [found] = rule.find(rows.record, view);
      if (found) return wordsOf(rule.name, found.message);
    }
  }
  for (const rule of STORE_RULES) {
    const [found] = rule.find(view);
    if (found) return wordsOf(rule.name, found.message);
  }
  return null;
}
