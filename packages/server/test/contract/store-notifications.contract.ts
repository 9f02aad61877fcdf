/** What every store must do to tell people: each event and each stall once per channel, and each delivery until its end. */
import { NOTICE_TYPES, type NotificationChannel, type NoticeType, type PromotionId } from '@stella/domain';
import { makeApprovalGate, makeDefinition, makeHttpGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { applyChannels } from '../../src/engine/commands/apply-channels.ts';
import { retryDelivery } from '../../src/engine/commands/retry-delivery.ts';
import type { DueDelivery } from '../../src/ports/notification-store.ts';
import {
  claimOne,
  command,
  create,
  hire,
  inTransaction,
  type Place,
  play,
  principalOf,
  refusal,
  setUp,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const HOUR_MS = 3_600_000;
const SIGNED = makeDefinition({ name: 'signed', gates: [makeApprovalGate({ name: 'sign', count: 2 })] });
const SLOW = makeDefinition({ name: 'slow', gates: [makeHttpGate({ name: 'tests', timeoutMs: HOUR_MS })] });
const WISH = { limit: 10, channelLimit: 10, underWay: new Map<string, number>() };
const DELIVERED = { outcome: 'delivered', message: 'status 204' } as const;
const FAILED = { outcome: 'failed', message: 'status 500' } as const;

function channelOf(
  name: string,
  environments = ['*'],
  events: readonly NoticeType[] = NOTICE_TYPES,
): NotificationChannel {
  const transport = {
    kind: 'webhook',
    url: 'http://127.0.0.1:9/x',
    secret: 'env:STELLA_SECRET_X',
    timeoutMs: 10_000,
  } as const;
  return { name, environments, events, transport };
}

function apply(place: Place, ...channels: readonly NotificationChannel[]): Promise<unknown> {
  const order = { channels, isPruning: false };
  return inTransaction(place.world, (tx) => applyChannels(tx, principalOf(place, 'olga'), order));
}

/** Everything that happened is in the chain, and collected. */
async function collect(world: StoreWorld): Promise<number> {
  while ((await world.sequencer.appendToChain(100)) > 0);
  return (await world.notifications.collectEvents(1_000)).madeCount;
}

/** A promotion that waits for two approvals. */
async function await2(place: Place, release = 1): Promise<PromotionId> {
  const { id: workerId } = await hire(place.world);
  const id = await create(place, 'signed', release);
  await play(place.world, await claimOne(place.world, workerId));
  return id;
}

async function all(world: StoreWorld): Promise<readonly string[]> {
  const rows = await world.notifications.listDeliveries({ channel: null, state: null, limit: 100 });
  return rows.map(({ channel, notice }) => `${channel} ${notice.type}`).sort();
}

async function takeOne(world: StoreWorld): Promise<DueDelivery> {
  const [due, ...others] = await world.notifications.takeDueDeliveries(WISH);
  if (!due || others.length > 0) throw new Error('not exactly one is due');
  return due;
}

export function describeNotificationStore(giveWorld: () => StoreWorld): void {
  describe('channels', () => {
    describeChannels(giveWorld);
  });
  describe('what happened', () => {
    describeCollecting(giveWorld);
  });
  describe('a delivery', () => {
    describeDeliveries(giveWorld);
  });
}

function describeChannels(giveWorld: () => StoreWorld): void {
  it('are written with versions, and listed by name', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SIGNED]);
    await apply(place, channelOf('room'), channelOf('mail'));
    const changed = channelOf('room', ['prod-*']);
    expect(await apply(place, changed, channelOf('mail'))).toMatchObject([
      { channel: 'room', change: 'changed', version: 2, differences: ['environments: ["*"] → ["prod-*"]'] },
      { channel: 'mail', change: 'unchanged', version: 1 },
    ]);
    const health = { pendingCount: 0, deadCount: 0, failingCount: 0, oldestPendingAtMs: null, lastFailure: '' };
    expect(await world.notifications.listChannels()).toMatchObject([
      { definition: channelOf('mail'), version: 1, ...health },
      { definition: changed, version: 2, appliedAtMs: world.control.nowMs(), ...health },
    ]);
  });

  it('go with what is on the way to them, which is given up and not tried again before they are back', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SIGNED]);
    await apply(place, channelOf('room'), channelOf('mail'));
    await await2(place);
    await collect(world);
    const olga = principalOf(place, 'olga');
    const prune = { channels: [channelOf('mail')], isPruning: true };
    expect(await inTransaction(world, (tx) => applyChannels(tx, olga, prune))).toMatchObject([
      { channel: 'mail', change: 'unchanged' },
      { channel: 'room', change: 'removed', version: null },
    ]);
    const [dead] = await world.notifications.listDeliveries({ channel: 'room', state: 'dead', limit: 9 });
    if (!dead) throw new Error('it was not given up');
    expect(dead).toMatchObject({ message: 'the channel was removed', endedAtMs: world.control.nowMs() });
    const retry = (): Promise<unknown> => inTransaction(world, (tx) => retryDelivery(tx, olga, dead.id));
    expect(await refusal(retry())).toBe('delivery.no_channel');
    await apply(place, channelOf('room'));
    expect(await retry()).toMatchObject({ state: 'pending', attemptCount: 0, dueAtMs: world.control.nowMs() });
  });

  it('are for admins of every environment that they name, and not without number', async () => {
    const place = await setUp(giveWorld(), [SIGNED]);
    const order = { channels: [channelOf('room', ['signed'])], isPruning: false };
    const asPeter = inTransaction(place.world, (tx) => applyChannels(tx, principalOf(place, 'peter'), order));
    expect(await refusal(asPeter)).toBe('auth.forbidden');
    const narrow = { ...principalOf(place, 'olga'), bindings: [{ role: 'admin' as const, pattern: 'signed' }] };
    const applyNarrow = (environments: string[]): Promise<unknown> =>
      inTransaction(place.world, (tx) =>
        applyChannels(tx, narrow, { channels: [channelOf('room', environments)], isPruning: false }),
      );
    expect(await refusal(applyNarrow(['*']))).toBe('auth.forbidden');
    expect(await applyNarrow(['signed'])).toMatchObject([{ change: 'created' }]);
    const many = Array.from({ length: 51 }, (_, index) => channelOf(`c${index}`));
    expect(await refusal(apply(place, ...many))).toBe('apply.channels');
  });
}

function describeCollecting(giveWorld: () => StoreWorld): void {
  it('is told once to each channel that hears of it, from its making on', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SIGNED, SLOW]);
    await apply(
      place,
      channelOf('room'),
      channelOf('other', ['prod']),
      channelOf('ends', ['*'], ['promotion.completed']),
    );
    const id = await await2(place);
    expect(await collect(world)).toBe(1);
    expect(await collect(world)).toBe(0);
    const [told] = await world.notifications.listDeliveries({ channel: null, state: null, limit: 9 });
    expect(told).toMatchObject({
      channel: 'room',
      promotionId: id,
      environment: 'signed',
      state: 'pending',
      attemptCount: 0,
      dueAtMs: world.control.nowMs(),
      notice: {
        type: 'approval.pending',
        data: { promotion: id, release: 'shop-1', gate: 'sign', who: expect.stringContaining('2 persons') as string },
      },
    });
    await apply(place, channelOf('late'));
    await command(place, id, 'bob', { kind: 'reject', gate: 'sign', skip: null, reason: 'not today' });
    const { id: workerId } = await hire(world);
    await play(world, await claimOne(world, workerId));
    await collect(world);
    expect(await all(world)).toEqual(['late promotion.rejected', 'room approval.pending', 'room promotion.rejected']);
  });

  it('is collected by any number of servers, page by page', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SIGNED]);
    await apply(place, channelOf('room'), channelOf('mail'));
    await await2(place);
    while ((await world.sequencer.appendToChain(100)) > 0);
    const page = async (): Promise<number> => {
      let made = 0;
      for (let turn = 0; turn < 50; turn += 1) {
        const { madeCount, hasMore } = await world.notifications.collectEvents(2);
        made += madeCount;
        if (!hasMore) break;
      }
      return made;
    };
    const counts = await Promise.all([page(), page()]);
    expect((counts[0] ?? 0) + (counts[1] ?? 0) + (await page())).toBe(2);
    expect(await all(world)).toEqual(['mail approval.pending', 'room approval.pending']);
  });

  it('is collected while somebody holds the promotion, and holds none', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SIGNED]);
    await apply(place, channelOf('room'));
    const id = await await2(place);
    while ((await world.sequencer.appendToChain(100)) > 0);
    // As a tick that has read, and has not written yet.
    const madeCount = await inTransaction(world, async (tx) => {
      await tx.lockPromotion(id);
      return (await world.notifications.collectEvents(1_000)).madeCount;
    });
    expect(madeCount).toBe(1);
  });

  it('tells of a stall once', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SLOW]);
    await apply(place, channelOf('room'), channelOf('ends', ['*'], ['promotion.completed']));
    const { id: workerId } = await hire(world);
    const id = await create(place, 'slow');
    const claim = await claimOne(world, workerId);
    await play(world, claim, ({ promotion }) => promotion.step === 'evaluate_gates');
    expect(await world.notifications.collectStalls(10)).toBe(0);
    await world.control.pass(2 * HOUR_MS);
    expect(await world.notifications.collectStalls(10)).toBe(1);
    expect(await world.notifications.collectStalls(10)).toBe(0);
    const [told] = await world.notifications.listDeliveries({ channel: 'room', state: null, limit: 9 });
    expect(told?.notice.data).toMatchObject({
      state: 'stalled',
      summary: 'shop-1 → slow makes no progress for 2h',
      commands: [`stella promotion diagnose ${id}`],
    });
  });

  it('tells no channel of a stall that goes at the same moment, which nobody would deliver', async () => {
    const world = giveWorld();
    const place = await setUp(world, [SLOW]);
    await apply(place, channelOf('room'));
    const { id: workerId } = await hire(world);
    await create(place, 'slow');
    await play(world, await claimOne(world, workerId), ({ promotion }) => promotion.step === 'evaluate_gates');
    await world.control.pass(2 * HOUR_MS);
    await inTransaction(world, async (tx) => {
      await applyChannels(tx, principalOf(place, 'olga'), { channels: [], isPruning: true });
      expect(await world.notifications.collectStalls(10)).toBe(0);
    });
    expect(await world.notifications.listDeliveries({ channel: null, state: 'pending', limit: 9 })).toEqual([]);
  });
}

function describeDeliveries(giveWorld: () => StoreWorld): void {
  /** One that is due. */
  async function owe(): Promise<{ world: StoreWorld; place: Place }> {
    const world = giveWorld();
    const place = await setUp(world, [SIGNED]);
    await apply(place, channelOf('room'));
    await await2(place);
    await collect(world);
    return { world, place };
  }

  it('is claimed by one server, and due again when that one died', async () => {
    const { world } = await owe();
    const taken = await Promise.all([1, 2].map(() => world.notifications.takeDueDeliveries(WISH)));
    const [first] = taken.flat();
    expect(taken.flat()).toHaveLength(1);
    expect(first?.delivery).toMatchObject({ attemptCount: 1, lastAttemptAtMs: world.control.nowMs() });
    await world.control.pass(14_999);
    expect(await world.notifications.takeDueDeliveries(WISH)).toEqual([]);
    await world.control.pass(1);
    const again = await takeOne(world);
    expect(again.delivery).toMatchObject({ id: first?.delivery.id, attemptCount: 2, notice: first?.delivery.notice });
    // What the dead one still says comes too late.
    if (!first) throw new Error('nothing was taken');
    expect(await world.notifications.recordDelivery(first.delivery, DELIVERED, 0)).toBeNull();
    expect(await world.notifications.recordDelivery(again.delivery, DELIVERED, 0)).toMatchObject({
      state: 'delivered',
    });
  });

  it('waits longer after each failure, with jitter, and is given up after a day', async () => {
    const { world, place } = await owe();
    const first = await takeOne(world);
    const nowMs = world.control.nowMs();
    const failed = await world.notifications.recordDelivery(first.delivery, FAILED, 0);
    expect(failed).toMatchObject({ state: 'pending', dueAtMs: nowMs + 2_500, message: 'status 500' });
    await world.control.pass(2_500);
    const second = await takeOne(world);
    const later = await world.notifications.recordDelivery(second.delivery, FAILED, 1);
    expect(later?.dueAtMs).toBe(world.control.nowMs() + 10_000);
    const [health] = await world.notifications.listChannels();
    expect(health).toMatchObject({ pendingCount: 1, failingCount: 1, deadCount: 0, lastFailure: 'status 500' });
    await world.control.pass(24 * HOUR_MS);
    const last = await takeOne(world);
    const dead = await world.notifications.recordDelivery(last.delivery, FAILED, 1);
    expect(dead).toMatchObject({ state: 'dead', dueAtMs: null, endedAtMs: world.control.nowMs() });
    expect(await world.notifications.takeDueDeliveries(WISH)).toEqual([]);
    expect((await world.notifications.listChannels())[0]).toMatchObject({ pendingCount: 0, deadCount: 1 });
    const olga = principalOf(place, 'olga');
    await inTransaction(world, (tx) => retryDelivery(tx, olga, last.delivery.id));
    const retried = await takeOne(world);
    expect(retried.delivery).toMatchObject({ id: last.delivery.id, attemptCount: 1 });
    await world.notifications.recordDelivery(retried.delivery, DELIVERED, 0);
    const again = inTransaction(world, (tx) => retryDelivery(tx, olga, last.delivery.id));
    expect(await refusal(again)).toBe('delivery.delivered');
  });

  it('is given up at once when the receiver wants nothing more', async () => {
    const { world } = await owe();
    const { delivery } = await takeOne(world);
    const answer = { outcome: 'refused', message: 'status 410' } as const;
    expect(await world.notifications.recordDelivery(delivery, answer, 0)).toMatchObject({ state: 'dead' });
  });

  it('of one channel leaves room for those of others', async () => {
    const { world, place } = await owe();
    await apply(place, channelOf('mail'));
    for (const release of [2, 3]) await await2(place, release);
    await collect(world);
    const taken = async (channelLimit: number, underWay: readonly (readonly [string, number])[]): Promise<string[]> =>
      (await world.notifications.takeDueDeliveries({ limit: 9, channelLimit, underWay: new Map(underWay) }))
        .map(({ channel }) => channel.name)
        .sort();
    expect(await taken(2, [['room', 2]])).toEqual(['mail', 'mail']);
    expect(await taken(3, [['room', 1]])).toEqual(['room', 'room']);
    expect(await taken(3, [])).toEqual(['room']);
  });

  it('goes when it has ended long ago, and is found by the start of its id', async () => {
    const { world } = await owe();
    const { delivery } = await takeOne(world);
    expect(await world.notifications.findDeliveries(delivery.id.slice(0, 20))).toEqual([delivery.id]);
    expect(await world.notifications.findDeliveries('ntf_ff')).toEqual([]);
    expect(await world.notifications.pruneDeliveries(world.control.nowMs() + HOUR_MS, 10)).toBe(0);
    await world.notifications.recordDelivery(delivery, DELIVERED, 0);
    expect(await world.notifications.pruneDeliveries(world.control.nowMs(), 10)).toBe(0);
    await world.control.pass(1);
    expect(await world.notifications.pruneDeliveries(world.control.nowMs(), 10)).toBe(1);
    expect(await world.notifications.listDeliveries({ channel: null, state: null, limit: 9 })).toEqual([]);
  });
}
