/** What every store must do with wake-ups of promotions whose rows are held: none is lost, whoever dies (safety L4). */
import type { PromotionId } from '@stella/domain';
import { makeDefinition, makeHttpGate, waitFor } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { changeFreeze } from '../../src/engine/commands/freeze-environment.ts';
import {
  claimOne,
  create,
  type Hired,
  hire,
  inTransaction,
  type Place,
  play,
  principalOf,
  refusal,
  setUp,
  sleepsMs,
  whileHeld,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const OPEN = makeDefinition({ name: 'open' });
const GATED = makeDefinition({ name: 'gated', gates: [makeHttpGate()] });
/** A process that lives has given by then what it owes. */
const OWED_MS = 1_000;
const COMMIT_TIMEOUT_MS = 30_000;

export function describeWakesOfStore(giveWorld: () => StoreWorld): void {
  describe('a wake-up', () => {
    it('that its process did not give before it died is given by the next look for the dead', async () => {
      const { place, worker, id } = await waitForUnfreeze(giveWorld());
      const { world } = place;
      await whileHeld(place, id, async () => {
        world.control.loseNextCommit();
        expect(await refusal(freeze(place, 'open', false))).toBe('database.unavailable');
        await world.control.pass(OWED_MS + 1);
        await world.engine.buryDeadWorkers(worker.id);
      });
      expect(await sleepsMs(place, id)).toBeGreaterThan(0);
      await world.engine.buryDeadWorkers(worker.id);
      expect(await sleepsMs(place, id)).toBe(0);
      expect((await world.control.dump())['owedWakes']).toEqual([]);
    });

    it('of a promotion that is being looked at is given when that has ended', async () => {
      const { place, id } = await waitForUnfreeze(giveWorld());
      let unfreezing: Promise<unknown> = Promise.resolve();
      await whileHeld(place, id, async () => {
        const before = await frozenNow(place);
        unfreezing = freeze(place, 'open', false);
        const isCommitted = async (): Promise<boolean> => (await frozenNow(place)) !== before;
        await waitFor(isCommitted, { timeoutMs: COMMIT_TIMEOUT_MS, why: 'the unfreeze is committed' });
      });
      await unfreezing;
      expect(await sleepsMs(place, id)).toBe(0);
      expect((await place.world.control.dump())['owedWakes']).toEqual([]);
    });

    it('of a freeze reaches a promotion that a worker has, which asks a gate meanwhile', async () => {
      const { place, worker } = await begin(giveWorld());
      const { world } = place;
      const id = await create(place, 'gated');
      await play(world, await claimOne(world, worker.id), ({ promotion }) => promotion.step === 'evaluate_gates');
      expect(await sleepsMs(place, id)).toBeGreaterThan(0);
      await freeze(place, 'gated', true);
      expect(await sleepsMs(place, id)).toBe(0);
      const { owned } = await world.engine.takeDueWork(worker.id, 10);
      expect(owned).toMatchObject([{ promotionId: id }]);
    });
  });
}

interface Waiting {
  readonly place: Place;
  readonly worker: Hired;
  readonly id: PromotionId;
}

async function begin(world: StoreWorld): Promise<Omit<Waiting, 'id'>> {
  return { place: await setUp(world, [OPEN, GATED]), worker: await hire(world) };
}

async function waitForUnfreeze(world: StoreWorld): Promise<Waiting> {
  const { place, worker } = await begin(world);
  await freeze(place, 'open', true);
  const id = await create(place, 'open');
  await play(world, await claimOne(world, worker.id));
  expect(await sleepsMs(place, id)).toBeGreaterThan(0);
  return { place, worker, id };
}

function freeze(place: Place, environment: string, isFreeze: boolean): Promise<unknown> {
  const wish = isFreeze ? ({ kind: 'freeze', untilMs: null } as const) : ({ kind: 'unfreeze' } as const);
  const order = { environment, wish, reason: 'test', seenVersion: null };
  return inTransaction(place.world, (tx) => changeFreeze(tx, principalOf(place, 'olga'), order).then(() => null));
}

async function frozenNow({ world }: Place): Promise<string> {
  const { environments = [] } = await world.control.dump();
  return JSON.stringify(environments.find(({ name }) => name === 'open')?.['freeze']);
}
