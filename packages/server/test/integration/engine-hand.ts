/** The engine's store on a real database, moved by hand: a test says which promotion is ticked when, and how effects end. */
import { join } from 'node:path';
import {
  type Attempt,
  decide,
  type Decision,
  makeIds,
  type PromotionId,
  type PromotionSnapshot,
  STANDARD_SETTINGS,
  promisedDigestOf,
} from '@stella/domain';
import type { Claim, OutcomeRecord } from '../../src/ports/engine-store.ts';
import { type Database, openDatabase } from '../../src/store/connection.ts';
import { makeImmutableRows } from '../../src/store/immutable-rows.ts';
import { openLivenessSession } from '../../src/store/liveness-session.ts';
import { makeEngineStore } from '../../src/store/postgres-engine-store.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeRandom } from '../../src/system/node-random.ts';
import { makeMemoryLogger } from './postgres-fixture.ts';

const LEASE_MS = 60_000;
const CLAIM_COUNT_MAX = 50;
/** A promotion goes through all steps in fewer ticks. */
const TICK_COUNT_MAX = 20;

export interface EngineHand {
  readonly database: Database;
  /** Claims what is due, then one tick with good outcomes for all that is open. Null: it is not due. */
  tick(id: PromotionId): Promise<Decision | null>;
  /** Ticks until a decision is as wanted. */
  until(id: PromotionId, isThere: (decision: Decision) => boolean): Promise<Decision>;
  close(): Promise<void>;
}

/** Beside a server of the role `api`, so that nobody else works. */
export async function takeEngineInHand(dataDir: string): Promise<EngineHand> {
  const logger = makeMemoryLogger();
  const place = { kind: 'socket', directory: join(dataDir, 'run'), user: 'stella_app', database: 'stella' } as const;
  const database = openDatabase(place, { logger });
  const ids = makeIds(
    () => nodeClock.nowMs(),
    (count) => nodeRandom.bytes(count),
  );
  const store = makeEngineStore(database, { ids, settings: STANDARD_SETTINGS, cache: makeImmutableRows() });
  const session = await openLivenessSession(database);
  const workerId = ids.next('wrk');
  await store.registerWorker({ id: workerId, session, hostname: 'test', version: 'test', leaseTtlMs: LEASE_MS });
  const claims = new Map<PromotionId, Claim>();
  const open = new Map<PromotionId, { effects: readonly Attempt[]; snapshot: PromotionSnapshot }>();

  const tick = async (id: PromotionId): Promise<Decision | null> => {
    for (const claim of (await store.takeDueWork(workerId, CLAIM_COUNT_MAX)).claimed) {
      claims.set(claim.promotionId, claim);
    }
    const claim = claims.get(id);
    if (!claim) return null;
    const pending = open.get(id);
    const outcomes = pending ? pending.effects.map((effect) => goodOutcome(effect, pending.snapshot)) : [];
    const result = await store.tick(claim, outcomes, (snapshot, context, ended) =>
      decide(snapshot, context, { kind: 'worker', id: workerId }, ended),
    );
    if (result.kind === 'claim_lost') throw new Error(`the claim of ${id} was lost`);
    const { decision, snapshot } = result;
    open.set(id, { effects: decision.effects, snapshot });
    if (decision.promotion.workerId === null) claims.delete(id);
    return decision;
  };
  return {
    database,
    tick,
    until: async (id, isThere) => {
      for (let count = 0; count < TICK_COUNT_MAX; count += 1) {
        const decision = await tick(id);
        if (decision && isThere(decision)) return decision;
      }
      throw new Error(`${id} did not get there in ${TICK_COUNT_MAX} ticks`);
    },
    close: async () => {
      await session.close();
      await database.close();
    },
  };
}

function goodOutcome(attempt: Attempt, { promotion, release }: PromotionSnapshot): OutcomeRecord {
  const target = promotion.definition.targets.find((one) => one.name === attempt.subject);
  const digest = target ? promisedDigestOf(target, release) : null;
  const outcome = attempt.purpose === 'gate' ? 'passed' : 'succeeded';
  return {
    operationId: attempt.operationId,
    result: { outcome, code: '', message: '', output: '', digest, sealed: null },
  };
}
