/** What every `CommandStore` must do: transactions, idempotency keys, rows of people, environments and settings. */
import { digestOf, type PromotionId, STANDARD_SETTINGS } from '@stella/domain';
import { makeDefinition, makeRelease, toBindings } from '@stella/testkit';
import { expect, it, describe } from 'vitest';
import { createPromotion } from '../../src/engine/commands/create-promotion.ts';
import type { CommandTransaction, IdempotencyRequest } from '../../src/ports/command-store.ts';
import {
  ACTOR,
  claimOne,
  command,
  create,
  hire,
  inTransaction,
  play,
  principalOf,
  set,
  setUp,
  snapshotOf,
  tick,
  codeOf,
  refusal,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

type GiveWorld = () => StoreWorld;

const DEV = makeDefinition({ name: 'dev' });
const PROD = makeDefinition({ promotesFrom: ['dev'] });

/** A transaction that has done something and is held open until it is let go. */
interface Held {
  readonly done: Promise<unknown>;
  letGo(error?: Error): void;
}

async function hold(world: StoreWorld, work: (tx: CommandTransaction) => Promise<unknown>): Promise<Held> {
  let letGo: Held['letGo'] = () => undefined;
  const isLetGo = new Promise<void>((resolve, reject) => {
    letGo = (error) => (error ? reject(error) : resolve());
  });
  isLetGo.catch(() => undefined);
  let begin = (): void => undefined;
  const hasBegun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const done = inTransaction(world, async (tx) => {
    await work(tx);
    begin();
    await isLetGo;
  });
  done.catch(() => undefined);
  await Promise.race([hasBegun, done]);
  return { done, letGo };
}

/** True while `call` has neither answered nor failed, although others were answered meanwhile. */
async function isWaiting(world: StoreWorld, call: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  call.then(end, end);
  for (let count = 0; count < 5; count += 1) await inTransaction(world, (tx) => tx.listSettings());
  return !isOver;
}

export function describeCommandStore(world: GiveWorld): void {
  describe('a transaction', () => {
    describeTransactions(world);
  });
  describe('an idempotency key', () => {
    describeKeys(world);
  });
  describe('promotions', () => {
    describePromotions(world);
  });
  describe('environments and releases', () => {
    describeEnvironments(world);
  });
  describe('settings', () => {
    describeSettings(world);
  });
  describe('persons and tokens', () => {
    describeIdentity(world);
  });
}

function describeTransactions(world: GiveWorld): void {
  it('is seen by nobody before its end, and then as a whole', async () => {
    const place = await setUp(world(), [DEV]);
    const id = world().ids.next('prm');
    const held = await hold(world(), (tx) => tx.writeEvents([eventOf(tx, 'one')]));
    const countEvents = async (): Promise<number> => (await world().control.dump())['events']?.length ?? 0;
    const count = await countEvents();
    held.letGo();
    await held.done;
    expect(await countEvents()).toBe(count + 1);
    expect(await refusal(snapshotOf(place.world, id))).toBe('promotion.not_found');
  });

  it('leaves nothing behind when its work throws', async () => {
    const place = await setUp(world(), [DEV]);
    const before = await world().control.dump();
    const broken = inTransaction(world(), async (tx) => {
      await tx.writeEvents([eventOf(tx, 'one')]);
      await tx.writeSetting({ key: 'stuck.after', value: 5_000, reason: '', actor: ACTOR });
      throw new Error('no');
    });
    await expect(broken).rejects.toThrow('no');
    expect(await world().control.dump()).toEqual(before);
    expect(place.releases).toHaveLength(3);
  });

  it('whose answer was lost has happened', async () => {
    const place = await setUp(world(), [DEV]);
    world().control.loseNextCommit();
    expect(await refusal(create(place, 'dev'))).toBe('database.unavailable');
    expect(await refusal(create(place, 'dev'))).toBe('promotion.live_exists');
  });

  it('waits for the one that holds its row, and decides on what that one wrote', async () => {
    const place = await setUp(world(), [DEV]);
    const id = await create(place, 'dev');
    const held = await hold(world(), (tx) => tx.lockPromotion(id));
    const cancelled = command(place, id, 'olga', { kind: 'cancel', reason: '' });
    expect(await isWaiting(world(), cancelled)).toBe(true);
    held.letGo();
    await cancelled;
    expect((await snapshotOf(world(), id)).promotion.cancelRequestedBy).toMatchObject({ subject: 'olga' });
  });

  it('in a circle with another one is repeated after it, so that both end', async () => {
    const place = await setUp(world(), [DEV]);
    const [one, two] = [await create(place, 'dev', 1), await create(place, 'dev', 2)];
    let arrivedCount = 0;
    let meet = (): void => undefined;
    const haveMet = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const crossing = (mine: PromotionId, other: PromotionId): Promise<void> =>
      inTransaction(world(), async (tx) => {
        await tx.lockPromotion(mine);
        arrivedCount += 1;
        if (arrivedCount === 2) meet();
        await haveMet;
        await tx.lockPromotion(other);
      });
    const both = [crossing(one, two), crossing(two, one)];
    const answers = await Promise.allSettled(both);
    const codes = answers.map((answer) => (answer.status === 'rejected' ? codeOf(answer.reason) : 'done'));
    expect(codes).toEqual(['done', 'done']);
    // Once more, or again when the repeat got its row before the one that it had made way for.
    expect(arrivedCount).toBeGreaterThanOrEqual(3);
  });
}

function eventOf(tx: CommandTransaction, subject: string): Parameters<CommandTransaction['writeEvents']>[0][number] {
  return { type: 'release.created', actor: ACTOR, atMs: tx.nowMs, promotionId: null, subject, data: {} };
}

function describeKeys(world: GiveWorld): void {
  const request = (key: string, body = '{}'): IdempotencyRequest => ({
    actorId: 'per_1',
    route: 'POST /test',
    key,
    bodyHash: digestOf(body),
  });

  it('gives the same answer again without doing the work again', async () => {
    let workCount = 0;
    const write = () =>
      world().commands.transact(request('same'), () => {
        workCount += 1;
        return Promise.resolve({ status: 201, body: { workCount } });
      });
    expect(await write()).toEqual({ status: 201, body: { workCount: 1 } });
    expect(await Promise.all([write(), write()])).toEqual(Array(2).fill({ status: 201, body: { workCount: 1 } }));
    expect(workCount).toBe(1);
  });

  it('is refused for another body, free for another actor or route, and after a failure', async () => {
    const work = () => Promise.resolve({ status: 200, body: 1 });
    await world().commands.transact(request('k'), work);
    expect(await refusal(world().commands.transact(request('k', '[]'), work))).toBe('idempotency.mismatch');
    expect((await world().commands.transact({ ...request('k', '[]'), actorId: 'per_2' }, work)).status).toBe(200);
    expect((await world().commands.transact({ ...request('k', '[]'), route: 'POST /b' }, work)).status).toBe(200);
    await expect(world().commands.transact(request('f'), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await world().commands.transact(request('f'), work)).status).toBe(200);
  });

  it('is in flight while the first with it takes too long, and the first loses nothing', async () => {
    let finish = (): void => undefined;
    const isFinished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begin = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const first = world().commands.transact(request('slow'), async () => {
      begin();
      await isFinished;
      return { status: 201, body: {} };
    });
    await hasBegun;
    const second = world().commands.transact(request('slow'), () => Promise.resolve({ status: 200, body: {} }));
    expect(await refusal(second)).toBe('idempotency.in_flight');
    finish();
    expect(await first).toEqual({ status: 201, body: {} });
  });
}

function describePromotions(world: GiveWorld): void {
  it('are changed after all that their row was waited for, by the clock too', async () => {
    const place = await setUp(world(), [DEV]);
    const id = await create(place, 'dev');
    const held = await hold(world(), (tx) => tx.lockPromotion(id));
    const moments: number[] = [];
    let begin = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const waiting = inTransaction(world(), async (tx) => {
      moments.push(tx.nowMs);
      begin();
      await tx.lockPromotion(id);
      moments.push(tx.nowMs);
      return null;
    });
    // Its connection may be slow to come.
    await Promise.race([hasBegun, waiting]);
    expect(await isWaiting(world(), waiting)).toBe(true);
    await world().control.pass(10);
    held.letGo();
    await Promise.all([held.done, waiting]);
    const [beganMs = 0, gotMs = 0] = moments;
    expect(gotMs).toBe(beganMs + 10);
  });

  it('that are not there are null to lock and promotion.not_found to read', async () => {
    const id = world().ids.next('prm');
    expect(await inTransaction(world(), (tx) => tx.lockPromotion(id))).toBeNull();
    expect(await refusal(snapshotOf(world(), id))).toBe('promotion.not_found');
  });

  it('are live once per release and environment, also when two are made at one moment', async () => {
    const place = await setUp(world(), [DEV]);
    const answers = await Promise.allSettled([create(place, 'dev'), create(place, 'dev')]);
    const codes = answers.map((answer) => (answer.status === 'rejected' ? codeOf(answer.reason) : 'made'));
    expect(codes.sort()).toEqual(['made', 'promotion.live_exists']);
    expect(await refusal(create(place, 'dev'))).toBe('promotion.live_exists');
    expect((await world().control.dump())['promotions']).toHaveLength(1);
  });

  it('get another priority, which is what the next one to look reads', async () => {
    const place = await setUp(world(), [DEV]);
    const id = await create(place, 'dev');
    const { promotion: before } = await snapshotOf(world(), id);
    await command(place, id, 'olga', { kind: 'priority', priority: 'high', reason: 'outage' });
    const { promotion } = await snapshotOf(world(), id);
    expect(promotion).toMatchObject({ priority: 'high', version: before.version + 1 });
    expect(await refusal(command(place, id, 'bob', { kind: 'priority', priority: 'low', reason: '' }))).toBe(
      'auth.forbidden',
    );
  });

  it('of an ended one may be made again, by its retry', async () => {
    const place = await setUp(world(), [DEV]);
    const worker = await hire(world());
    const id = await create(place, 'dev');
    await command(place, id, 'olga', { kind: 'cancel', reason: '' });
    await tick(world(), await claimOne(world(), worker.id));
    const again = await command(place, id, 'olga', { kind: 'retry', reason: '' });
    expect((await snapshotOf(world(), again)).promotion).toMatchObject({ retryOf: id, status: 'in_progress' });
  });
}

function describeEnvironments(world: GiveWorld): void {
  it('have versions, a base, and predecessors with what completed there', async () => {
    const place = await setUp(world(), [DEV, PROD]);
    const [release] = place.releases;
    if (!release) throw new Error('no release');
    const entry = () => inTransaction(world(), (tx) => tx.readEntry('prod', release));
    expect(await entry()).toMatchObject({
      record: { definition: PROD, version: 1 },
      base: null,
      predecessors: [{ name: 'dev', completedAtMs: null }],
    });
    const worker = await hire(world());
    await create(place, 'dev');
    await play(world(), await claimOne(world(), worker.id));
    const now = world().control.nowMs();
    expect((await entry())?.predecessors).toMatchObject([{ name: 'dev', releaseId: release.id, completedAtMs: now }]);
    expect(await inTransaction(world(), (tx) => tx.readEntry('nowhere', release))).toBeNull();
  });

  it('answer by artifacts for a deploy, and whether the release was there for a rollback', async () => {
    const place = await setUp(world(), [DEV, PROD], 2);
    const [first, second] = place.releases;
    const digest = first?.components[0]?.digest;
    if (!first || !second || !digest) throw new Error('no release');
    const entry = (release: typeof first, kind: 'deploy' | 'rollback', environment = 'prod') =>
      inTransaction(world(), (tx) => tx.readEntry(environment, release, kind));
    const wish = { name: 'api-alone', components: first.components };
    const alike = await inTransaction(world(), (tx) => tx.insertRelease(wish, ACTOR));
    const nothing = [{ name: 'dev', completedAtMs: null, artifactsSinceMs: null }];
    expect((await entry(alike, 'deploy'))?.predecessors).toMatchObject(nothing);
    const worker = await hire(world());
    await create(place, 'dev');
    await play(world(), await claimOne(world(), worker.id));
    const now = world().control.nowMs();
    const ran = [{ name: 'dev', completedAtMs: now, artifactsSinceMs: now }];
    expect((await entry(alike, 'deploy'))?.predecessors).toMatchObject(ran);
    expect((await entry(second, 'deploy'))?.predecessors).toMatchObject(nothing);
    expect(await entry(first, 'rollback', 'dev')).toMatchObject({ hasCompletedHere: true });
    expect(await entry(alike, 'rollback', 'dev')).toMatchObject({ hasCompletedHere: false });
    const id = await inTransaction(world(), (tx) =>
      createPromotion(tx, world(), principalOf(place, 'alice'), {
        release: alike,
        environment: 'prod',
        priority: 'normal',
        retryOf: null,
        kind: 'deploy',
      }),
    );
    const late = inTransaction(world(), (tx) =>
      createPromotion(tx, world(), principalOf(place, 'alice'), {
        release: first,
        environment: 'dev',
        priority: 'high',
        retryOf: null,
        kind: 'rollback',
        seenBaseId: second.id,
      }),
    );
    await expect(late).rejects.toMatchObject({ code: 'promotion.base_moved' });
    const snapshot = await snapshotOf(world(), id);
    expect(snapshot.promotion).toMatchObject({ kind: 'deploy', isForced: false });
    expect(snapshot.predecessors).toMatchObject(ran);
  });

  it('that were defined twice alike show each predecessor once', async () => {
    const place = await setUp(world(), [DEV, PROD]);
    for (const definition of [{ ...PROD, deployDeadlineMs: 60_000 }, PROD]) {
      await inTransaction(world(), (tx) => tx.writeDefinition(definition, ACTOR));
    }
    const worker = await hire(world());
    await create(place, 'dev');
    await play(world(), await claimOne(world(), worker.id));
    const { predecessors } = await snapshotOf(world(), await create(place, 'prod'));
    expect(predecessors.map((one) => one.name)).toEqual(['dev']);
  });

  it('are locked in order, defined anew with the next version, and removed; versions go on after that', async () => {
    await setUp(world(), [PROD, DEV]);
    const names = await inTransaction(world(), async (tx) =>
      (await tx.lockEnvironments()).map((one) => one.definition.name),
    );
    expect(names).toEqual(['dev', 'prod']);
    const changed = { ...DEV, deployDeadlineMs: 60_000 };
    expect(await inTransaction(world(), (tx) => tx.writeDefinition(changed, ACTOR))).toMatchObject({ version: 2 });
    await inTransaction(world(), (tx) => tx.removeEnvironment('dev'));
    expect(await inTransaction(world(), (tx) => tx.lockEnvironments())).toHaveLength(1);
    expect(await inTransaction(world(), (tx) => tx.writeDefinition(DEV, ACTOR))).toMatchObject({ version: 3 });
  });

  it('name at most 10 of their live promotions', async () => {
    const place = await setUp(world(), [DEV], 12);
    for (let n = 1; n <= 12; n += 1) await create(place, 'dev', n);
    const live = await inTransaction(world(), (tx) => tx.livePromotionsOf('dev'));
    expect(live).toHaveLength(10);
    expect(await inTransaction(world(), (tx) => tx.livePromotionsOf('prod'))).toEqual([]);
  });

  it('are shared by those who enter, and held alone by those who define', async () => {
    const place = await setUp(world(), [DEV]);
    const [release] = place.releases;
    if (!release) throw new Error('no release');
    const entering = await hold(world(), (tx) => tx.readEntry('dev', release));
    await inTransaction(world(), (tx) => tx.readEntry('dev', release));
    const defining = inTransaction(world(), (tx) => tx.lockEnvironments());
    expect(await isWaiting(world(), defining)).toBe(true);
    entering.letGo();
    expect(await defining).toHaveLength(1);
  });

  it('get releases with sorted components and growing numbers, each name once', async () => {
    const { name, components } = makeRelease(1, ['web', 'api']);
    const write = (text: string) => inTransaction(world(), (tx) => tx.insertRelease({ name: text, components }, ACTOR));
    const [first, second] = [await write(name), await write('other')];
    expect(first.components.map((one) => one.name)).toEqual(['api', 'web']);
    expect(second.number).toBeGreaterThan(first.number);
    expect(await refusal(write(name))).toBe('release.name_taken');
  });
}

function describeSettings(world: GiveWorld): void {
  it('are null until they are changed, then have versions, and count at once', async () => {
    const place = await setUp(world(), [DEV]);
    const id = await create(place, 'dev');
    expect(await inTransaction(world(), (tx) => tx.lockSetting('stuck.after'))).toBeNull();
    await set(place, 'stuck.after', 5_000);
    expect((await snapshotOf(world(), id)).settings['stuck.after']).toBe(5_000);
    expect(await inTransaction(world(), (tx) => Promise.resolve(tx.settings['stuck.after']))).toBe(5_000);
    await set(place, 'stuck.after', null);
    expect(await inTransaction(world(), (tx) => tx.lockSetting('stuck.after'))).toEqual({ value: null, version: 2 });
    expect((await snapshotOf(world(), id)).settings).toEqual(STANDARD_SETTINGS);
    const { settingChanges } = await world().control.dump();
    expect(settingChanges?.map((one) => [one['version'], one['value']])).toEqual([
      [1, 5_000],
      [2, null],
    ]);
    expect(await inTransaction(world(), (tx) => tx.listSettings())).toMatchObject([{ key: 'stuck.after', version: 2 }]);
  });

  it('wake those whose deadlines may depend on them, but not what was set aside', async () => {
    const place = await setUp(world(), [DEV]);
    const worker = await hire(world());
    const [waiting, aside] = [await create(place, 'dev', 1), await create(place, 'dev', 2)];
    const { claimed } = await world().engine.takeDueWork(worker.id, 10);
    for (const claim of claimed) {
      if (claim.promotionId === aside) await world().engine.setAside(claim, { message: 'poison', count: 5 }, ACTOR);
      else await tick(world(), claim);
    }
    const before = await snapshotOf(world(), aside);
    await world().control.pass(10);
    await set(place, 'stuck.after', 5_000);
    expect((await snapshotOf(world(), waiting)).promotion.nextActionAtMs).toBe(world().control.nowMs());
    expect((await snapshotOf(world(), aside)).promotion).toEqual(before.promotion);
  });
}

function describeIdentity(world: GiveWorld): void {
  it('know a person once, with the rights held now', async () => {
    const place = await setUp(world(), [DEV]);
    const person = { issuer: 'local', subject: 'alice', bindings: toBindings(['viewer@*']), enrolledBy: null };
    expect(await refusal(inTransaction(world(), (tx) => tx.insertPerson(person)))).toBe('person.exists');
    expect(principalOf(place, 'alice').bindings).toHaveLength(2);
  });

  it('let a code be used once, in time', async () => {
    const place = await setUp(world(), [DEV]);
    const { actor } = principalOf(place, 'alice');
    if (actor.kind !== 'person') throw new Error('not a person');
    const [once, late] = [digestOf('once'), digestOf('late')];
    const enrolment = { personId: actor.id, expiresAtMs: world().control.nowMs() + 100 };
    for (const codeHash of [once, late]) {
      await inTransaction(world(), (tx) => tx.insertEnrolment({ ...enrolment, codeHash }));
    }
    const use = (codeHash: typeof once) => inTransaction(world(), (tx) => tx.useEnrolment(codeHash));
    expect(await use(once)).toEqual({ personId: actor.id, subject: 'alice' });
    expect(await use(once)).toBeNull();
    await world().control.pass(101);
    expect(await use(late)).toBeNull();
    expect(await use(digestOf('unknown'))).toBeNull();
  });

  it('revoke a token once, and keep automations by name', async () => {
    const place = await setUp(world(), [DEV]);
    const { actor } = principalOf(place, 'alice');
    if (actor.kind !== 'person') throw new Error('not a person');
    const id = world().ids.next('tok');
    const owner = { kind: 'person', id: actor.id } as const;
    const expiresAtMs = world().control.nowMs() + 1_000;
    const token = { id, tokenHash: digestOf('token'), owner, mintedBy: null, name: 'cli', expiresAtMs };
    await inTransaction(world(), (tx) => tx.insertToken(token));
    const revoke = () => inTransaction(world(), (tx) => tx.revokeToken(id));
    const first = await revoke();
    await world().control.pass(10);
    expect(await revoke()).toEqual(first);
    expect(await inTransaction(world(), (tx) => tx.revokeToken(world().ids.next('tok')))).toBeNull();
    const ensure = (roles: Parameters<typeof toBindings>[0]) =>
      inTransaction(world(), (tx) => tx.ensureAutomation('ci', actor.id, toBindings(roles)));
    const made = await ensure(['releaser@*']);
    expect(await ensure(['viewer@*'])).toEqual(made);
    const { bindings } = await world().control.dump();
    expect(bindings?.filter((one) => one['ownerId'] === made.id)).toMatchObject([{ role: 'viewer' }]);
  });
}
