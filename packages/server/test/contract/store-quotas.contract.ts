/** What every store must do where quotas limit how many promotions start. */
import { type EnvironmentGuard, quotaKey, type QuotaUse } from '@stella/domain';
import { makeDefinition, makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { requestQuotaIncrease } from '../../src/engine/commands/change-quota.ts';
import type { Claim } from '../../src/ports/engine-store.ts';
import {
  claimOne,
  create,
  hire,
  inTransaction,
  type Place,
  play,
  principalOf,
  set,
  setUp,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const LIMITED = makeDefinition({
  name: 'mix',
  concurrency: 'per_component',
  quotas: { perHour: 2, inProgress: 1, timeZone: 'UTC' },
  targets: [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })],
});
const FREE = makeDefinition({ name: 'free' });
const COMPONENTS: Readonly<Record<number, readonly string[]>> = { 2: ['api'], 3: ['web'], 4: ['api'] };

/** The guard of its way into the queue. */
async function quotaSeenBy(world: StoreWorld, claim: Claim): Promise<QuotaUse | null | undefined> {
  let guard: EnvironmentGuard | null = null;
  await play(world, claim, ({ promotion }) => promotion.step === 'precheck');
  const { attempts, release } = await snapshotOf(world, claim.promotionId);
  const outcomes = attempts.map(({ operationId, subject }) => {
    const digest = release.components.find(({ name }) => name === subject)?.digest ?? null;
    return {
      operationId,
      result: { outcome: 'succeeded', code: '', message: '', output: '', digest, sealed: null } as const,
    };
  });
  await tick(world, { ...claim, isTakeover: false }, outcomes, ({ context }) => {
    guard = context.guard ?? guard;
  });
  // Set by the callback, which the compiler does not see.
  return (guard as EnvironmentGuard | null)?.quota;
}

export function describeQuotasOfStore(world: () => StoreWorld): void {
  describe('quotas', () => {
    async function open(): Promise<{
      place: Place;
      claimNew: (environment: string, release: number) => Promise<Claim>;
    }> {
      const place = await setUp(world(), [LIMITED, FREE], 4, (n) => COMPONENTS[n] ?? ['web']);
      const worker = await hire(world());
      return {
        place,
        claimNew: async (environment, release) => {
          await create(place, environment, release);
          return claimOne(world(), worker.id);
        },
      };
    }

    it('guard: nothing where nothing is limited; else limits, starts, who is in progress and who has started', async () => {
      const { place, claimNew } = await open();
      expect(await quotaSeenBy(world(), await claimNew('free', 1))).toBeNull();
      const first = await claimNew('mix', 1);
      await play(world(), first, ({ promotion }) => promotion.step === 'deploy');
      const startedAtMs = (await snapshotOf(world(), first.promotionId)).locks[0]?.acquiredAtMs;
      await set(place, quotaKey('mix', 'perDay'), 7);
      const second = await claimNew('mix', 2);
      expect(await quotaSeenBy(world(), second)).toEqual({
        limits: { perHour: 2, perDay: 7, inProgress: 1 },
        timeZone: 'UTC',
        startsAtMs: [startedAtMs],
        inProgress: [{ promotionId: first.promotionId, components: ['web'] }],
        startedIds: [first.promotionId],
      });
      const { promotion, locks } = await snapshotOf(world(), second.promotionId);
      expect(promotion).toMatchObject({ status: 'queued', quotaWait: 'inProgress', workerId: null });
      expect(locks).toEqual([]);
    });

    it('wakes who waits when one ends, and when a limit is raised', async () => {
      const { place, claimNew } = await open();
      const first = await claimNew('mix', 1);
      await play(world(), first, ({ promotion }) => promotion.step === 'deploy');
      const second = await claimNew('mix', 2);
      await play(world(), second);
      const dueOf = async (claim: Claim): Promise<number> =>
        (await snapshotOf(world(), claim.promotionId)).promotion.nextActionAtMs ?? 0;
      expect(await dueOf(second)).toBeGreaterThan(world().control.nowMs());
      await play(world(), first);
      expect(await dueOf(second)).toBeLessThanOrEqual(world().control.nowMs());
      await world().control.pass(1_000);
      const again = await claimOne(world(), (await hire(world())).id);
      expect(again.promotionId).toBe(second.promotionId);
      await play(world(), again);
      expect((await snapshotOf(world(), second.promotionId)).promotion.status).toBe('completed');
      const third = await claimNew('mix', 3);
      await play(world(), third);
      expect((await snapshotOf(world(), third.promotionId)).promotion.quotaWait).toBe('perHour');
      await set(place, quotaKey('mix', 'perHour'), 3);
      expect(await dueOf(third)).toBeLessThanOrEqual(world().control.nowMs());
    });

    it('keeps the newest request of each quota with the environment', async () => {
      const { place } = await open();
      const ask = (wanted: number) =>
        inTransaction(world(), (tx) =>
          requestQuotaIncrease(tx, principalOf(place, 'olga'), {
            environment: 'mix',
            name: 'perHour',
            wanted,
            reason: 'release day',
          }),
        );
      await ask(5);
      await ask(6);
      const seen = await inTransaction(world(), (tx) => tx.lockEnvironment('mix'));
      expect(seen?.status.quotaRequests.map(({ name, wanted }) => [name, wanted])).toEqual([['perHour', 6]]);
      expect(seen?.status.quotas).toEqual(LIMITED.quotas);
    });
  });
}
