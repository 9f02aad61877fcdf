/** What every store must do with looks at targets: who claims a round, which findings count, and when drift begins and ends. */
import { digestOf, FIRST_LOOK_AFTER_MS, type TargetLookAt, type TargetObservation } from '@stella/domain';
import { makeDefinition, makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { DueRound } from '../../src/ports/observation-store.ts';
import {
  begin,
  claimOne,
  create,
  hire,
  inTransaction,
  type Place,
  play,
  set,
  setUp,
  snapshotOf,
  ACTOR,
} from './store-play.ts';
import type { DumpRow, StoreWorld } from './store-world.ts';

type GiveWorld = () => StoreWorld;

const EVERY_MS = 60_000;
const OTHER = digestOf('other');
const OBSERVER = { by: 'host-1', jitter: 0.5 };
const MIX = makeDefinition({
  name: 'mix',
  concurrency: 'per_component',
  targets: [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })],
});

/** `prod` runs release 1. */
async function release(world: StoreWorld): Promise<Place> {
  const { place, claim } = await begin(world);
  await play(world, claim);
  await set(place, 'observe.every', EVERY_MS);
  return place;
}

/** The rounds of all that is due, by environment. */
async function take(world: StoreWorld): Promise<Readonly<Record<string, DueRound>>> {
  const due = await world.observations.takeDueRounds(10);
  return Object.fromEntries(due.map((one) => [one.environment, one]));
}

async function takeLater(world: StoreWorld, environment = 'prod'): Promise<DueRound> {
  await world.control.pass(2 * EVERY_MS);
  const round = (await take(world))[environment];
  if (!round) throw new Error(`${environment} is not due`);
  return round;
}

const seen = ({ targets }: DueRound, digest: TargetObservation['digest'], message = ''): readonly TargetLookAt[] =>
  targets.map((target) => ({ target, sight: { outcome: 'seen', digest, isHealthy: true, message } }));
const unseen = ({ targets }: DueRound): readonly TargetLookAt[] =>
  targets.map((target) => ({ target, sight: { outcome: 'unseen', code: 'target.unreachable', message: 'no way' } }));

async function look(
  world: StoreWorld,
  find: (round: DueRound) => readonly TargetLookAt[],
): Promise<readonly TargetObservation[]> {
  const round = await takeLater(world);
  const kept = await world.observations.recordRound(round, find(round), OBSERVER);
  if (!kept) throw new Error('it is late');
  return kept;
}

/** By the release that `prod` runs. */
function promisedIn({ releases }: Place): TargetObservation['digest'] {
  return releases[0]?.components[0]?.digest ?? null;
}

async function driftEvents(world: StoreWorld): Promise<readonly DumpRow[]> {
  const { events = [] } = await world.control.dump();
  return events.filter(({ type }) => String(type).startsWith('drift.'));
}

export function describeObservationStore(world: GiveWorld): void {
  describe('a look at the targets of an environment', () => {
    describeRounds(world);
  });
  describe('drift', () => {
    describeDrift(world);
  });
}

function describeRounds(world: GiveWorld): void {
  it('is claimed by one of those who ask at once, and again only after it must have ended', async () => {
    await setUp(world(), [makeDefinition()]);
    await world().control.pass(FIRST_LOOK_AFTER_MS - 1);
    expect(await take(world())).toEqual({});
    await world().control.pass(1);
    const taken = await Promise.all([take(world()), take(world())]);
    const [round, ...others] = taken.flatMap((one) => Object.values(one));
    expect(others).toEqual([]);
    expect(round).toMatchObject({ environment: 'prod', number: 1, claimedAtMs: world().control.nowMs(), atOnce: 20 });
    await world().control.pass(31_000 + 10_000 - 1);
    expect(await take(world())).toEqual({});
    await world().control.pass(1);
    expect((await take(world()))['prod']).toMatchObject({ number: 2 });
  });

  it('counts only by the newest claim, and once', async () => {
    const place = await release(world());
    const first = await takeLater(world());
    const second = await takeLater(world());
    const promised = promisedIn(place);
    expect(await world().observations.recordRound(first, seen(first, OTHER), OBSERVER)).toBeNull();
    const nowMs = world().control.nowMs();
    expect(await world().observations.recordRound(second, seen(second, promised), OBSERVER)).toEqual([
      {
        environment: 'prod',
        target: 'web-1',
        lookedAtMs: nowMs,
        lookedBy: 'host-1',
        code: '',
        message: '',
        unseenSinceMs: null,
        seenAtMs: nowMs,
        digest: promised,
        isHealthy: true,
        promised,
        driftSinceMs: null,
        lastBreak: null,
      },
    ]);
    expect(await world().observations.recordRound(second, seen(second, OTHER), OBSERVER)).toBeNull();
    expect(await driftEvents(world())).toEqual([]);
  });

  it('is due by the interval that is set now, and never with observe.mode off', async () => {
    const place = await release(world());
    await look(world(), (round) => seen(round, null));
    await set(place, 'observe.every', 2_000);
    await world().control.pass(2_199);
    expect(await take(world())).toEqual({});
    await world().control.pass(1);
    await set(place, 'observe.mode', 1);
    expect(await take(world())).toEqual({});
    await set(place, 'observe.mode', null);
    expect((await take(world()))['prod']).toMatchObject({ number: 2 });
  });

  it('is not begun while a promotion holds the environment, and tells nothing when one has come meanwhile', async () => {
    const place = await release(world());
    const round = await takeLater(world());
    const { id: workerId } = await hire(world());
    await create(place, 'prod', 2);
    const claim = await claimOne(world(), workerId);
    await play(world(), claim, ({ locks }) => locks.length > 0);
    await world().control.pass(10 * EVERY_MS);
    expect((await take(world()))['prod']).toBeUndefined();
    expect(await world().observations.recordRound(round, seen(round, OTHER), OBSERVER)).toEqual([]);
    await play(world(), { ...claim, isTakeover: false, failureCount: 0 });
    expect(await driftEvents(world())).toEqual([]);
    expect(await takeLater(world())).toMatchObject({ number: 2 });
  });

  it('leaves out only the component that a promotion is changing where they are changed side by side', async () => {
    const place = await setUp(world(), [MIX], 2, (n) => [n === 1 ? 'web' : 'api']);
    await set(place, 'observe.every', EVERY_MS);
    const { id: workerId } = await hire(world());
    await create(place, 'mix', 1);
    const before = await takeLater(world(), 'mix');
    await play(world(), await claimOne(world(), workerId), ({ locks }) => locks.length > 0);
    const kept = await world().observations.recordRound(before, seen(before, null), OBSERVER);
    expect(kept?.map(({ target }) => target)).toEqual(['api-1']);
    const during = await takeLater(world(), 'mix');
    expect(during.targets.map(({ name }) => name)).toEqual(['api-1']);
  });

  it('goes with its environment, and is late then', async () => {
    await release(world());
    const round = await takeLater(world());
    await world().observations.recordRound(round, seen(round, OTHER), OBSERVER);
    const next = await takeLater(world());
    await inTransaction(world(), async (tx) => {
      await tx.lockEnvironments();
      await tx.removeEnvironment('prod');
    });
    expect(await world().observations.recordRound(next, seen(next, OTHER), OBSERVER)).toBeNull();
    const { rounds = [], observations = [] } = await world().control.dump();
    expect(rounds.map(({ environment }) => environment)).toEqual(['gated']);
    expect(observations).toEqual([]);
  });
}

function describeDrift(world: GiveWorld): void {
  it('begins with one event and ends with one, however often it is seen', async () => {
    const place = await release(world());
    const promised = promisedIn(place);
    const [first] = await look(world(), (round) => seen(round, null, 'index.html differs'));
    const sinceMs = world().control.nowMs();
    expect(first).toMatchObject({ digest: null, promised, driftSinceMs: sinceMs });
    expect(await look(world(), (round) => seen(round, OTHER))).toMatchObject([{ driftSinceMs: sinceMs }]);
    expect(await look(world(), (round) => seen(round, promised))).toMatchObject([{ driftSinceMs: null }]);
    await look(world(), (round) => seen(round, promised));
    expect(await driftEvents(world())).toMatchObject([
      {
        type: 'drift.began',
        promotionId: null,
        subject: 'prod',
        data: { target: 'web-1', promised, seen: null, message: 'index.html differs' },
      },
      {
        type: 'drift.ended',
        subject: 'prod',
        data: { target: 'web-1', reason: 'as_promised', durationMs: 4 * EVERY_MS },
      },
    ]);
  });

  it('is nothing that a look which sees nothing could tell: neither begins it nor ends it', async () => {
    const place = await release(world());
    const promised = promisedIn(place);
    const [lost] = await look(world(), unseen);
    const lostMs = world().control.nowMs();
    expect(lost).toMatchObject({
      code: 'target.unreachable',
      unseenSinceMs: lostMs,
      seenAtMs: null,
      driftSinceMs: null,
    });
    const [drifts] = await look(world(), (round) => seen(round, OTHER));
    expect(drifts).toMatchObject({ unseenSinceMs: null, code: '', digest: OTHER });
    const [still] = await look(world(), unseen);
    expect(still).toMatchObject({
      unseenSinceMs: world().control.nowMs(),
      seenAtMs: drifts?.seenAtMs,
      digest: OTHER,
      promised,
      driftSinceMs: drifts?.driftSinceMs,
    });
    expect((await driftEvents(world())).map(({ type }) => type)).toEqual(['drift.began']);
  });

  it('that a promotion has cured is looked at soon, and ends', async () => {
    const place = await release(world());
    await look(world(), (round) => seen(round, OTHER));
    await world().control.pass(1_000);
    expect((await take(world()))['prod']).toBeUndefined();
    const { id: workerId } = await hire(world());
    const id = await create(place, 'prod', 2);
    await play(world(), await claimOne(world(), workerId));
    const { promotion, release: released } = await snapshotOf(world(), id);
    expect(promotion.status).toBe('completed');
    await world().control.pass(1);
    const round = (await take(world()))['prod'];
    if (!round) throw new Error('it is not due');
    const runs = released.components[0]?.digest ?? null;
    await world().observations.recordRound(round, seen(round, runs), OBSERVER);
    expect((await driftEvents(world())).map(({ data }) => data)).toMatchObject([
      { seen: OTHER },
      { reason: 'as_promised' },
    ]);
    expect((await take(world()))['prod']).toBeUndefined();
  });

  it('is not where nothing was verified, and ends with the target', async () => {
    await release(world());
    await look(world(), (round) => seen(round, OTHER));
    const apply = (names: readonly string[]): Promise<unknown> =>
      inTransaction(world(), async (tx) => {
        await tx.lockEnvironments();
        const targets = names.map((name) => makeTarget({ name, directory: `/srv/${name}` }));
        await tx.writeDefinition(makeDefinition({ targets }), ACTOR);
      });
    const before = await takeLater(world());
    await apply(['web-2']);
    expect(await world().observations.recordRound(before, seen(before, OTHER), OBSERVER)).toEqual([]);
    expect((await driftEvents(world())).at(-1)).toMatchObject({
      type: 'drift.ended',
      data: { target: 'web-1', reason: 'target_removed' },
    });
    expect(await look(world(), (round) => seen(round, OTHER))).toMatchObject([
      { target: 'web-2', promised: null, driftSinceMs: null },
    ]);
    expect((await world().control.dump())['observations']).toHaveLength(1);
  });
}
