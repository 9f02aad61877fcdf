/** The memory store under turns that the test gives, withholds and fails; what it must do otherwise: the store contract. */
import {
  cancelPromotion,
  decide,
  type PromotionId,
  planPromotion,
  STANDARD_SETTINGS,
  type WorkerId,
} from '@stella/domain';
import type { Claim, OutcomeRecord, TickResult } from '@stella/server';
import { describe, expect, it } from 'vitest';
import { makeDefinition, makeEmptyEnvironment, makePrincipal, makeRelease } from '../fixtures.ts';
import { makeSeededIds, TEST_EPOCH_MS } from '../seeded-ids.ts';
import {
  endSession,
  makeMemoryState,
  makeMemoryStores,
  type MemoryStores,
  putEnvironment,
  readSnapshot,
} from './memory-stores.ts';
import { rowOf } from './memory-state.ts';

const OLGA = makePrincipal('olga', 'admin@*');

/** One database, as many servers as a test asks for; a point that is stopped at waits until it is let go. */
function makeWorld() {
  const state = makeMemoryState(STANDARD_SETTINGS);
  putEnvironment(state, makeDefinition(), makeEmptyEnvironment('prod'));
  const release = makeRelease(1);
  state.releases.set(release.id, release);
  const points: string[] = [];
  const stops = new Map<string, Promise<void>>();
  const clock = { nowMs: TEST_EPOCH_MS };
  const ids = makeSeededIds(7, () => clock.nowMs);
  const connect = (): MemoryStores =>
    makeMemoryStores({
      state,
      ids,
      nowMs: () => clock.nowMs,
      turn: async (point) => {
        points.push(point);
        await stops.get(point);
      },
    });
  const stores = connect();
  const stopAt = (point: string): (() => void) => {
    let letGo = (): void => undefined;
    stops.set(
      point,
      new Promise((resolve) => {
        letGo = () => {
          stops.delete(point);
          resolve();
        };
      }),
    );
    return letGo;
  };
  const failAt = (point: string, error: Error): void => {
    const failing = Promise.reject(error);
    failing.catch(() => undefined);
    stops.set(point, failing);
  };
  return { state, release, points, stops, clock, ids, connect, stores, stopAt, failAt };
}

type World = ReturnType<typeof makeWorld>;

async function create({ stores, ids, release }: World): Promise<PromotionId> {
  const answer = await stores.commands.transact(null, async (tx) => {
    const entry = await tx.readEntry('prod', release);
    if (!entry) throw new Error('no entry');
    const { record, status, ...rest } = entry;
    const input = { release, definition: record.definition, environment: status, ...rest, priority: 'normal' as const };
    const decision = planPromotion(
      { ...input, requestedBy: OLGA.actor, retryOf: null, settings: tx.settings },
      { nowMs: tx.nowMs, ids },
    );
    await tx.insertPromotion(decision);
    return { status: 201, body: decision.promotion.id };
  });
  return answer.body as PromotionId;
}

async function hire({ stores, ids, state }: World): Promise<WorkerId> {
  const id = ids.next('wrk');
  const session = { pid: state.workers.size + 1, backendStart: 'then', postmasterStart: state.postmasterStart };
  await stores.engine.registerWorker({ id, session, hostname: 'h', version: '1', leaseTtlMs: 15_000 });
  return id;
}

async function claimOne(world: World, workerId: WorkerId): Promise<Claim> {
  const { claimed } = await world.stores.engine.takeDueWork(workerId, 1);
  if (!claimed[0]) throw new Error('nothing is due');
  return claimed[0];
}

function tick(stores: MemoryStores, claim: Claim, outcomes: readonly OutcomeRecord[] = []): Promise<TickResult> {
  return stores.engine.tick(claim, outcomes, (snapshot, context, ended) =>
    decide(snapshot, context, { kind: 'system', name: 'test' }, ended),
  );
}

function cancel(world: World, id: PromotionId): Promise<unknown> {
  return world.stores.commands.transact(null, async (tx) => {
    const before = await tx.lockPromotion(id);
    if (!before) throw new Error('no promotion');
    const context = { nowMs: tx.nowMs, ids: world.ids, guard: null, isTakeover: false };
    await tx.writeDecision(cancelPromotion(before, context, OLGA, 'not now'));
    return { status: 200, body: null };
  });
}

describe('a tick', () => {
  it('goes through the statements of the PostgreSQL store, and is seen by nobody before its commit', async () => {
    const world = makeWorld();
    const id = await create(world);
    const claim = await claimOne(world, await hire(world));
    world.points.length = 0;
    const letGo = world.stopAt('tick.commit');
    const before = rowOf(world.state, id);
    const running = tick(world.stores, claim);
    await expect.poll(() => world.points.at(-1)).toBe('tick.commit');
    expect(rowOf(world.state, id)).toBe(before);
    letGo();
    expect(await running).toMatchObject({ kind: 'written' });
    expect(world.points).toEqual(['tick.lock', 'tick.read', 'tick.write', 'tick.commit', 'tick.committed']);
    expect(rowOf(world.state, id).promotion.version).toBe(before.promotion.version + 1);
  });

  it('holds its row: a command waits for it, and decides on what it wrote', async () => {
    const world = makeWorld();
    const id = await create(world);
    const claim = await claimOne(world, await hire(world));
    const letGo = world.stopAt('tick.commit');
    const running = tick(world.stores, claim);
    await expect.poll(() => world.points.at(-1)).toBe('tick.commit');
    const cancelled = cancel(world, id);
    await expect.poll(() => world.points.at(-1)).toBe('transact.lockPromotion');
    letGo();
    await Promise.all([running, cancelled]);
    expect(readSnapshot(world.state, id).promotion.version).toBe(4);
  });

  it('leaves nothing behind when its commit never comes, and all of it when only the answer is lost', async () => {
    const world = makeWorld();
    const id = await create(world);
    const claim = await claimOne(world, await hire(world));
    const before = rowOf(world.state, id);
    world.failAt('tick.commit', new Error('lost'));
    await expect(tick(world.stores, claim)).rejects.toThrow('lost');
    expect(rowOf(world.state, id)).toBe(before);
    world.stops.clear();
    world.failAt('tick.committed', new Error('lost'));
    await expect(tick(world.stores, claim)).rejects.toThrow('lost');
    expect(rowOf(world.state, id).promotion.version).toBe(before.promotion.version + 1);
  });

  it('dies with its server: its row is free for others', async () => {
    const world = makeWorld();
    const id = await create(world);
    const workerId = await hire(world);
    const claim = await claimOne(world, workerId);
    const other = world.connect();
    world.stopAt('tick.write');
    const dying = tick(other, claim);
    await expect.poll(() => world.points.at(-1)).toBe('tick.write');
    other.disconnect();
    await cancel(world, id);
    world.stops.clear();
    expect(await tick(world.stores, claim)).toMatchObject({ kind: 'written' });
    void dying.catch(() => undefined);
  });
});

describe('a transaction that says nothing', () => {
  it('is ended after 4 s when somebody waits for its row, and hears so at its next statement', async () => {
    const world = makeWorld();
    const id = await create(world);
    const claim = await claimOne(world, await hire(world));
    const timers: { readonly atMs: number; readonly run: () => void }[] = [];
    const patient = makeMemoryStores({
      state: world.state,
      ids: world.ids,
      nowMs: () => world.clock.nowMs,
      turn: () => Promise.resolve(),
      clock: {
        schedule: (delayMs, run) => {
          const timer = { atMs: world.clock.nowMs + delayMs, run };
          timers.push(timer);
          return () => void timers.splice(timers.indexOf(timer), 1);
        },
      },
    });
    const letGo = world.stopAt('tick.commit');
    const silent = tick(world.stores, claim);
    silent.catch(() => undefined);
    await expect.poll(() => world.points.at(-1)).toBe('tick.commit');
    world.clock.nowMs += 3_000;
    const waiting = cancel({ ...world, stores: patient }, id);
    await expect.poll(() => timers.length).toBe(2);
    for (const timer of timers.filter((one) => one.atMs <= world.clock.nowMs)) timer.run();
    world.clock.nowMs += 1_000;
    for (const timer of timers.filter((one) => one.atMs <= world.clock.nowMs)) timer.run();
    await waiting;
    letGo();
    await expect(silent).rejects.toMatchObject({ code: 'database.unavailable' });
    // Dated from when it got the row, not from when it began to wait.
    expect(rowOf(world.state, id).promotion.cancelRequestedAtMs).toBe(world.clock.nowMs);
  });

  it('is ended after 4 s for those who only skip its row, so that it can be taken over', async () => {
    const world = makeWorld();
    const id = await create(world);
    const dying = await hire(world);
    const claim = await claimOne(world, dying);
    const heir = await hire(world);
    const letGo = world.stopAt('tick.commit');
    const silent = tick(world.stores, claim);
    silent.catch(() => undefined);
    await expect.poll(() => world.points.at(-1)).toBe('tick.commit');
    endSession(world.state, { pid: 1, backendStart: 'then', postmasterStart: world.state.postmasterStart });
    world.clock.nowMs += 3_000;
    expect(await world.stores.engine.buryDeadWorkers(heir)).toEqual([dying]);
    world.clock.nowMs += 1_000;
    await world.stores.engine.buryDeadWorkers(heir);
    expect((await claimOne(world, heir)).promotionId).toBe(id);
    letGo();
    await expect(silent).rejects.toMatchObject({ code: 'database.unavailable' });
  });

  it('keeps a waiter for 5 s at most', async () => {
    const world = makeWorld();
    const id = await create(world);
    const claim = await claimOne(world, await hire(world));
    const timers: (() => void)[] = [];
    const patient = makeMemoryStores({
      state: world.state,
      ids: world.ids,
      nowMs: () => world.clock.nowMs,
      turn: () => Promise.resolve(),
      clock: {
        schedule: (delayMs, run) => {
          if (delayMs === 5_000) timers.push(run);
          return () => undefined;
        },
      },
    });
    const letGo = world.stopAt('tick.commit');
    const silent = tick(world.stores, claim);
    await expect.poll(() => world.points.at(-1)).toBe('tick.commit');
    const waiting = cancel({ ...world, stores: patient }, id);
    waiting.catch(() => undefined);
    await expect.poll(() => timers.length).toBe(1);
    timers[0]?.();
    await expect(waiting).rejects.toMatchObject({ code: 'database.unavailable' });
    letGo();
    expect(await silent).toMatchObject({ kind: 'written' });
  });
});
