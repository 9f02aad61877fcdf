/** What monitoring asks the database of environments: a failed rollback behind them, and targets that drift. */
import { FIRST_LOOK_AFTER_MS, type PromotionId } from '@stella/domain';
import { makeDefinition } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPromotion } from '../../src/engine/commands/create-promotion.ts';
import type { Claim } from '../../src/ports/engine-store.ts';
import { transact } from '../../src/store/connection.ts';
import { readMonitoringFacts } from '../../src/store/monitoring.ts';
import { countDriftRows } from '../../src/store/observation-rows.ts';
import { openEmbeddedStoreWorld } from '../contract/embedded-store-world.ts';
import {
  claimOne,
  command,
  create,
  goodResult,
  hire,
  type Hired,
  inTransaction,
  type Place,
  play,
  principalOf,
  setUp,
  snapshotOf,
  tick,
} from '../contract/store-play.ts';

const LIMITS = { stalledCount: 1, workerCount: 1 };
/** Playing a promotion to its end takes fewer. */
const TICKS_MAX = 40;
const STUCK_AFTER_MS = 600_000;
const REFUSED = { outcome: 'failed', code: 'target.refused', message: 'no' } as const;

let world: Awaited<ReturnType<typeof openEmbeddedStoreWorld>>;
let place: Place;
let worker: Hired;
beforeAll(async () => {
  world = await openEmbeddedStoreWorld();
  place = await setUp(world, [makeDefinition({ name: 'prod' }), makeDefinition({ name: 'quiet' })], 4);
  worker = await hire(world);
});
afterAll(() => world.close());

async function failed(): Promise<readonly { environment: string; promotionId: PromotionId }[]> {
  const facts = await transact(world.database, (session) => readMonitoringFacts(session, STUCK_AFTER_MS, LIMITS));
  return facts.failedRollbacks;
}

/** Ids sort by the time of their making. */
async function begin(make: () => Promise<PromotionId>): Promise<Claim> {
  await world.control.pass(1_000);
  await make();
  return claimOne(world, worker.id);
}

function goBack(releaseNumber: number): Promise<PromotionId> {
  const release = place.releases[releaseNumber - 1];
  if (!release) throw new Error(`no release ${releaseNumber}`);
  const wish = { release, environment: 'prod', priority: 'high', retryOf: null, kind: 'rollback' } as const;
  return inTransaction(world, (tx) => createPromotion(tx, world, principalOf(place, 'olga'), wish));
}

/** Every target refuses the deploy; all else ends well. */
async function playRefused(claim: Claim): Promise<string> {
  let result = await tick(world, claim);
  for (let count = 0; count < TICKS_MAX; count += 1) {
    if (result.kind !== 'written') throw new Error('the claim was lost');
    const { effects, promotion } = result.decision;
    if (promotion.workerId === null) return promotion.status;
    const snapshot = await snapshotOf(world, claim.promotionId);
    const outcomes = effects.map((attempt) => {
      const good = goodResult(snapshot, attempt);
      return {
        operationId: attempt.operationId,
        result: attempt.purpose === 'deploy' ? { ...good, ...REFUSED } : good,
      };
    });
    result = await tick(world, claim, outcomes);
  }
  throw new Error('it goes in a circle');
}

describe('a failed rollback', () => {
  it('is told until the next deployment, whatever ended before it came to its targets', async () => {
    for (const n of [1, 2]) await play(world, await begin(() => create(place, 'prod', n)));
    expect(await failed()).toEqual([]);
    const back = await begin(() => goBack(1));
    expect(await playRefused(back)).toBe('failed');
    const told = [{ environment: 'prod', promotionId: back.promotionId }];
    expect(await failed()).toEqual(told);
    const dropped = await begin(() => create(place, 'prod', 3));
    await command(place, dropped.promotionId, 'olga', { kind: 'cancel', reason: '' });
    expect((await play(world, dropped)).promotion.status).toBe('cancelled');
    expect(await failed()).toEqual(told);
    const next = await begin(() => create(place, 'prod', 4));
    expect((await play(world, next)).promotion.status).toBe('completed');
    expect(await failed()).toEqual([]);
  });
});

describe('targets that are not as they should be', () => {
  it('are counted, whatever the name of their environment, when not all environments are', async () => {
    await world.control.pass(FIRST_LOOK_AFTER_MS);
    for (const round of await world.observations.takeDueRounds(10)) {
      const sight = { outcome: 'unseen', code: 'target.unreachable', message: 'no way' } as const;
      const looks = round.environment === 'quiet' ? round.targets.map((target) => ({ target, sight })) : [];
      await world.observations.recordRound(round, looks, { by: 'host-1', jitter: 0.5 });
    }
    const counts = (limit: number) => transact(world.database, (session) => countDriftRows(session, limit));
    expect((await counts(2)).map((one) => [one.environment, one.unseenCount])).toEqual([
      ['quiet', 1],
      ['prod', 0],
    ]);
    expect((await counts(1)).map((one) => one.environment)).toEqual(['quiet']);
  });
});
