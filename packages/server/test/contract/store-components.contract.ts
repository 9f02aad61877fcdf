/** What every store must do where components of one environment are promoted side by side. */
import { decide, type EnvironmentDefinition, type EnvironmentGuard, type Lock } from '@stella/domain';
import { makeDefinition, makeDependencyGate, makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../src/ports/engine-store.ts';
import {
  ACTOR,
  claimOne,
  create,
  hire,
  type Hired,
  inTransaction,
  type Place,
  play,
  refusal,
  setUp,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const MIX = makeDefinition({
  name: 'mix',
  gates: [],
  concurrency: 'per_component',
  targets: [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })],
});
const WEB = 1;
const API = 2;
const BOTH = 3;
const LATER_WEB = 4;
const CARRIED: Readonly<Record<number, readonly string[]>> = { [API]: ['api'], [BOTH]: ['api', 'web'] };

interface Beside {
  readonly place: Place;
  readonly worker: Hired;
}

async function open(world: StoreWorld, ...more: readonly EnvironmentDefinition[]): Promise<Beside> {
  return {
    place: await setUp(world, [MIX, ...more], LATER_WEB, (n) => CARRIED[n] ?? ['web']),
    worker: await hire(world),
  };
}

async function claimNew({ place, worker }: Beside, release: number): Promise<Claim> {
  await create(place, 'mix', release);
  return claimOne(place.world, worker.id);
}

/** The guard that the next tick is shown. */
async function guardOf(world: StoreWorld, claim: Claim): Promise<EnvironmentGuard | null> {
  let guard: EnvironmentGuard | null = null;
  await play(world, claim, ({ promotion }) => promotion.step === 'precheck');
  const { attempts, release } = await snapshotOf(world, claim.promotionId);
  const outcomes = attempts.map(({ operationId, subject }) => {
    const digest = release.components.find(({ name }) => name === subject)?.digest ?? null;
    const result = { outcome: 'succeeded', code: '', message: '', output: '', digest, sealed: null } as const;
    return { operationId, result };
  });
  await tick(world, { ...claim, isTakeover: false }, outcomes, ({ context }) => {
    guard = context.guard ?? guard;
  });
  return guard;
}

export function describeComponentsOfStore(world: () => StoreWorld): void {
  describe('components side by side', () => {
    it('guard: only who holds a component of one release is its holder, and each waiter says what it wants', async () => {
      const beside = await open(world());
      const web = await claimNew(beside, WEB);
      await play(world(), web, ({ promotion }) => promotion.step === 'deploy');
      const both = await claimNew(beside, BOTH);
      const held = await guardOf(world(), both);
      expect(held?.holder?.promotionId).toBe(web.promotionId);
      const free = await guardOf(world(), await claimNew(beside, API));
      expect(free?.holder).toBeNull();
      expect(free?.waiters.map((one) => [one.promotionId, one.components])).toEqual([
        [both.promotionId, ['api', 'web']],
      ]);
    });

    it('base: what runs of its own components, composed when they are of several releases', async () => {
      const beside = await open(world());
      for (const release of [WEB, API]) await play(world(), await claimNew(beside, release));
      const [web, api] = [beside.place.releases[WEB - 1], beside.place.releases[API - 1]];
      const both = await claimNew(beside, BOTH);
      await play(world(), both, ({ promotion }) => promotion.step === 'deploy');
      const { promotion, base } = await snapshotOf(world(), both.promotionId);
      expect(promotion.baseReleaseId).toBe(`api=${api?.id},web=${web?.id}`);
      expect(base?.components).toEqual([...(api?.components ?? []), ...(web?.components ?? [])]);
      const later = await claimNew(beside, LATER_WEB);
      expect((await snapshotOf(world(), later.promotionId)).base).toEqual(web);
    });

    it('ends: the second writes its component beside what the first has written', async () => {
      const beside = await open(world());
      const [web, api] = [await claimNew(beside, WEB), await claimNew(beside, API)];
      for (const claim of [web, api]) await play(world(), claim, ({ promotion }) => promotion.step === 'verify');
      for (const { promotionId, claimEpoch } of [web, api]) {
        const again = { promotionId, claimEpoch, isTakeover: false, failureCount: 0 };
        const { attempts, release } = await snapshotOf(world(), promotionId);
        const digest = release.components[0]?.digest ?? null;
        const outcomes = attempts.flatMap(({ operationId, result }) =>
          result === null
            ? [
                {
                  operationId,
                  result: { outcome: 'succeeded', code: '', message: '', output: '', digest, sealed: null } as const,
                },
              ]
            : [],
        );
        await tick(world(), again, outcomes);
      }
      const { environment } = await snapshotOf(world(), api.promotionId);
      expect(environment.components.map((one) => [one.component, one.releaseNumber, one.state])).toEqual([
        ['api', API, 'whole'],
        ['web', WEB, 'whole'],
      ]);
    });

    it('show a dependency each component with its own release', async () => {
      const requires = [{ environment: 'mix', state: 'runs', component: null, release: 'shop-3' }] as const;
      const after = makeDefinition({ name: 'after', gates: [makeDependencyGate({ requires })] });
      const beside = await open(world(), after);
      for (const release of [WEB, API]) await play(world(), await claimNew(beside, release));
      const id = await create(beside.place, 'after', LATER_WEB);
      const { dependencies } = await snapshotOf(world(), id);
      const row = (name: string, number: number) => ({
        name,
        releaseName: `shop-${number}`,
        releaseNumber: number,
        state: 'whole',
      });
      expect(dependencies).toEqual({
        places: [
          {
            environment: 'mix',
            releaseName: null,
            releaseNumber: API,
            state: 'whole',
            components: [row('api', API), row('web', WEB)],
            busyCount: 0,
          },
        ],
        releases: [{ name: 'shop-3', number: BOTH, components: [{ name: 'api' }, { name: 'web' }] }],
      });
    });

    it('refuse the whole environment while a component is held, and a component while the whole is', async () => {
      const beside = await open(world());
      const web = await claimNew(beside, WEB);
      const held = await play(world(), web, ({ promotion }) => promotion.step === 'deploy');
      const mine = held.locks.find((lock) => lock.mode === 'exclusive');
      if (!mine) throw new Error('it holds nothing');
      const api = await claimNew(beside, API);
      const taking = (resource: string) => {
        const lock: Lock = { ...mine, id: world().ids.next('lck'), resource, promotionId: api.promotionId };
        return world().engine.tick(api, [], (snapshot, context, ended) => ({
          ...decide(snapshot, context, ACTOR, ended),
          takenLocks: [lock],
        }));
      };
      expect(await refusal(taking('environment:mix'))).toBe('ST001');
      expect(await refusal(taking('environment:mix/web'))).toBe('23505');
    });

    it('wake whoever waits for locks when the definition changes, for somebody may be in turn who was not', async () => {
      const beside = await open(world());
      await play(world(), await claimNew(beside, WEB), ({ promotion }) => promotion.step === 'deploy');
      const waiter = await claimNew(beside, LATER_WEB);
      await play(world(), waiter);
      expect((await world().engine.takeDueWork(beside.worker.id, 10)).claimed).toEqual([]);
      await inTransaction(world(), async (tx) => {
        await tx.lockEnvironments();
        return tx.writeDefinition({ ...MIX, deployDeadlineMs: 60_000 }, ACTOR);
      });
      const { claimed } = await world().engine.takeDueWork(beside.worker.id, 10);
      expect(claimed.map((claim) => claim.promotionId)).toEqual([waiter.promotionId]);
    });

    it('name each definition that live promotions were made with, once', async () => {
      const beside = await open(world());
      const { promotionId } = await claimNew(beside, WEB);
      await claimNew(beside, API);
      const live = (): Promise<unknown> => inTransaction(world(), (tx) => tx.liveDefinitionsOf('mix'));
      expect(await live()).toEqual([{ promotionId, definition: MIX }]);
      const changed = { ...MIX, deployDeadlineMs: 60_000 };
      await inTransaction(world(), async (tx) => {
        await tx.lockEnvironments();
        return tx.writeDefinition(changed, ACTOR);
      });
      const { promotionId: third } = await claimNew(beside, LATER_WEB);
      expect(await live()).toEqual([
        { promotionId, definition: MIX },
        { promotionId: third, definition: changed },
      ]);
    });
  });
}
