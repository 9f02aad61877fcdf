/** What every `EngineStore` must do with workers and their claims. */
import type { PromotionId } from '@stella/domain';
import { makeDefinition } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import {
  begin,
  claimOne,
  create,
  dumpOf,
  hire,
  inTransaction,
  LEASE_MS,
  play,
  refusal,
  setUp,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const MINUTE_MS = 60_000;

type GiveWorld = () => StoreWorld;

export function describeClaimsOfStore(world: GiveWorld): void {
  describe('workers', () => {
    describeWorkers(world);
  });
  describe('claims', () => {
    describeClaims(world);
  });
}

function describeWorkers(world: GiveWorld): void {
  it('are registered once, live until their lease ends, and renew it', async () => {
    const worker = await hire(world());
    expect(await dumpOf(world(), 'workers', worker.id)).toMatchObject({
      state: 'live',
      leaseUntilAt: world().control.nowMs() + LEASE_MS,
    });
    await world().control.pass(1_000);
    expect(await world().engine.renewLease(worker.id, LEASE_MS)).toBe(true);
    expect(await dumpOf(world(), 'workers', worker.id)).toMatchObject({
      heartbeatAt: world().control.nowMs(),
      leaseUntilAt: world().control.nowMs() + LEASE_MS,
    });
    const { session } = worker;
    const again = { id: worker.id, session, hostname: 'h', version: '1', leaseTtlMs: LEASE_MS };
    expect(await refusal(world().engine.registerWorker(again))).toBe('23505');
  });

  it('that are not known, or no longer live, cannot renew', async () => {
    const worker = await hire(world());
    await world().engine.retireWorker(worker.id);
    expect(await world().engine.renewLease(worker.id, LEASE_MS)).toBe(false);
    expect(await world().engine.renewLease(world().ids.next('wrk'), LEASE_MS)).toBe(false);
  });

  it('are buried when their lease ran out, by others only, and once', async () => {
    const first = await hire(world());
    const second = await hire(world());
    await world().control.pass(LEASE_MS + 1);
    await world().engine.renewLease(second.id, LEASE_MS);
    expect(await world().engine.buryDeadWorkers(first.id)).toEqual([]);
    expect(await world().engine.buryDeadWorkers(second.id)).toEqual([first.id]);
    expect(await world().engine.buryDeadWorkers(second.id)).toEqual([]);
    expect(await world().engine.renewLease(first.id, LEASE_MS)).toBe(false);
  });

  it('are buried within their lease when their session is gone', async () => {
    const first = await hire(world());
    const second = await hire(world());
    expect(await world().engine.buryDeadWorkers(second.id)).toEqual([]);
    await first.end();
    expect(await world().engine.buryDeadWorkers(second.id)).toEqual([first.id]);
  });

  it('of another postmaster are not buried by their session: it proves nothing', async () => {
    const first = await hire(world());
    const id = world().ids.next('wrk');
    const session = {
      ...first.session,
      backendStart: '2020-01-01 00:00:00+00',
      postmasterStart: '2020-01-01 00:00:00+00',
    };
    await world().engine.registerWorker({ id, session, hostname: 'h', version: '1', leaseTtlMs: LEASE_MS });
    expect(await world().engine.buryDeadWorkers(first.id)).toEqual([]);
    await world().control.pass(LEASE_MS + 1);
    await world().engine.renewLease(first.id, LEASE_MS);
    expect(await world().engine.buryDeadWorkers(first.id)).toEqual([id]);
  });
}

function describeClaims(world: GiveWorld): void {
  it('take what is due, oldest first, at most as many as asked for, with a new epoch', async () => {
    const place = await setUp(world(), [makeDefinition()]);
    const worker = await hire(world());
    const ids: PromotionId[] = [];
    for (const n of [1, 2, 3]) {
      ids.push(await create(place, 'prod', n));
      await world().control.pass(10);
    }
    const first = await world().engine.takeDueWork(worker.id, 2);
    expect(first.owned).toEqual([]);
    expect(first.claimed.map((one) => one.promotionId).sort()).toEqual(ids.slice(0, 2).sort());
    expect(first.claimed[0]).toMatchObject({ claimEpoch: 1, isTakeover: false, failureCount: 0 });
    const { promotion } = await snapshotOf(world(), first.claimed[0]?.promotionId ?? world().ids.next('prm'));
    expect(promotion).toMatchObject({ workerId: worker.id, version: 2, claimEpoch: 1 });
    expect(promotion.nextActionAtMs).toBe(world().control.nowMs() + MINUTE_MS);
    expect((await world().engine.takeDueWork(worker.id, 2)).claimed.map((one) => one.promotionId)).toEqual([ids[2]]);
  });

  it("are nobody else's while their worker lives; what is due again is told to its owner", async () => {
    const { worker, id } = await begin(world());
    const other = await hire(world());
    await world().control.pass(MINUTE_MS + 1);
    for (const one of [worker, other]) await world().engine.renewLease(one.id, LEASE_MS);
    expect(await world().engine.takeDueWork(other.id, 10)).toEqual({ claimed: [], owned: [] });
    expect(await world().engine.takeDueWork(worker.id, 10)).toEqual({
      claimed: [],
      owned: [{ promotionId: id, claimEpoch: 1, isTakeover: true, failureCount: 0 }],
    });
  });

  it('are told to their owner before they are due, when it asks for all of them', async () => {
    const { worker, id } = await begin(world());
    expect((await world().engine.takeDueWork(worker.id, 10)).owned).toEqual([]);
    expect(await world().engine.takeDueWork(worker.id, 10, 'all')).toEqual({
      claimed: [],
      owned: [{ promotionId: id, claimEpoch: 1, isTakeover: true, failureCount: 0 }],
    });
    const other = await hire(world());
    expect(await world().engine.takeDueWork(other.id, 10, 'all')).toEqual({ claimed: [], owned: [] });
  });

  it('of the dead are taken over at once, and count as failed until a tick was written', async () => {
    const { worker, id, claim } = await begin(world());
    const other = await hire(world());
    await worker.end();
    await world().engine.buryDeadWorkers(other.id);
    const taken = await claimOne(world(), other.id);
    expect(taken).toEqual({ promotionId: id, claimEpoch: claim.claimEpoch + 1, isTakeover: true, failureCount: 1 });
    await tick(world(), taken);
    expect(await dumpOf(world(), 'promotions', id)).toMatchObject({ claimFailures: 0 });
  });

  it('are not for a worker that was declared dead and does not know it: it claims and writes nothing', async () => {
    const { place, worker, id, claim } = await begin(world());
    const other = await hire(world());
    await worker.end();
    expect(await world().engine.buryDeadWorkers(other.id)).toEqual([worker.id]);
    await create(place, 'prod', 2);
    expect((await world().engine.takeDueWork(worker.id, 10)).claimed).toEqual([]);
    expect((await tick(world(), claim)).kind).toBe('claim_lost');
    const { promotion } = await snapshotOf(world(), id);
    expect(promotion.nextActionAtMs).toBeLessThanOrEqual(world().control.nowMs());
    expect((await world().engine.takeDueWork(other.id, 10)).claimed).toHaveLength(2);
  });

  it('of the dead are taken over although a transaction that hangs holds one of them, which the next look finds', async () => {
    const { place, worker, id } = await begin(world());
    const free = await create(place, 'prod', 2);
    await claimOne(world(), worker.id);
    const other = await hire(world());
    await worker.end();
    await inTransaction(world(), async (tx) => {
      await tx.lockPromotion(id);
      expect(await world().engine.buryDeadWorkers(other.id)).toEqual([worker.id]);
      const { claimed } = await world().engine.takeDueWork(other.id, 10);
      expect(claimed.map((one) => one.promotionId)).toEqual([free]);
    });
    expect(await world().engine.buryDeadWorkers(other.id)).toEqual([]);
    expect(await claimOne(world(), other.id)).toMatchObject({ promotionId: id, isTakeover: true });
  });

  it('that failed twice are suspects: a worker takes one of them at a time', async () => {
    const place = await setUp(world(), [makeDefinition()]);
    for (const n of [1, 2]) await create(place, 'prod', n);
    for (const expected of [2, 2, 2]) {
      const worker = await hire(world());
      const { claimed } = await world().engine.takeDueWork(worker.id, 10);
      expect(claimed).toHaveLength(expected);
      await worker.end();
      await world().engine.buryDeadWorkers((await hire(world())).id);
    }
    const careful = await hire(world());
    expect((await world().engine.takeDueWork(careful.id, 10)).claimed).toHaveLength(1);
    expect((await world().engine.takeDueWork(careful.id, 10)).claimed).toHaveLength(0);
  });

  it('skip what a transaction holds', async () => {
    const place = await setUp(world(), [makeDefinition()]);
    const id = await create(place, 'prod');
    const worker = await hire(world());
    await inTransaction(world(), async (tx) => {
      await tx.lockPromotion(id);
      expect(await world().engine.takeDueWork(worker.id, 10)).toEqual({ claimed: [], owned: [] });
    });
    expect((await world().engine.takeDueWork(worker.id, 10)).claimed).toHaveLength(1);
  });

  it('of a worker that retires are given back, those with an operation under way are left for a takeover', async () => {
    const { place, worker, id, claim } = await begin(world());
    await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    const idle = await create(place, 'gated', 2);
    await claimOne(world(), worker.id);
    await world().engine.retireWorker(worker.id);
    expect((await snapshotOf(world(), idle)).promotion.workerId).toBeNull();
    expect((await snapshotOf(world(), id)).promotion.workerId).toBe(worker.id);
    const other = await hire(world());
    const { claimed } = await world().engine.takeDueWork(other.id, 10);
    const takeovers = new Map(claimed.map((one) => [one.promotionId, one.isTakeover]));
    expect(takeovers).toEqual(
      new Map([
        [idle, false],
        [id, true],
      ]),
    );
  });

  it('are refused to whoever is no worker', async () => {
    const place = await setUp(world(), [makeDefinition()]);
    await create(place, 'prod');
    expect(await refusal(world().engine.takeDueWork(world().ids.next('wrk'), 1))).toBe('23503');
  });
}
