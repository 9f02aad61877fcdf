/** What every `SequencerStore` must do: one chain over all events, without gaps, whoever appends to it. */
import { chainHash, type Digest } from '@stella/domain';
import { makeDefinition } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { ACTOR, create, inTransaction, setUp } from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

async function write(world: StoreWorld, subject: string): Promise<void> {
  await inTransaction(world, (tx) =>
    tx.writeEvents([{ type: 'release.created', actor: ACTOR, atMs: tx.nowMs, promotionId: null, subject, data: {} }]),
  );
}

interface Chained {
  readonly seq: number;
  readonly hash: Digest;
  readonly chainHash: Digest;
  readonly subject: string;
}

async function chainOf(world: StoreWorld): Promise<readonly Chained[]> {
  const { events = [] } = await world.control.dump();
  // Rows of events, as both stores keep them.
  const rows = events.filter((one) => one['seq'] !== null) as unknown as readonly Chained[];
  return [...rows].sort((a, b) => a.seq - b.seq);
}

function expectWhole(chain: readonly Chained[]): void {
  let previous: Digest | null = null;
  for (const [index, event] of chain.entries()) {
    expect(event.seq).toBe(index + 1);
    previous = chainHash(previous, event.hash);
    expect(event.chainHash).toBe(previous);
  }
}

export function describeSequencerStore(world: () => StoreWorld): void {
  describe('the sequencer', () => {
    it('appends at most as many as asked for, in one chain without gaps', async () => {
      const place = await setUp(world(), [makeDefinition()]);
      await create(place, 'prod');
      for (const subject of ['a', 'b', 'c']) await write(world(), subject);
      const counts = [];
      for (let count = 0; count < 4; count += 1) counts.push(await world().sequencer.appendToChain(2));
      expect(counts).toEqual([2, 2, 0, 0]);
      const chain = await chainOf(world());
      expect(chain).toHaveLength(4);
      expectWhole(chain);
      expect((await world().control.dump())['chainHead']).toEqual([{ seq: 4, chainHash: chain.at(-1)?.chainHash }]);
    });

    it('loses no event that was numbered early and committed late', async () => {
      let letGo = (): void => undefined;
      const isLetGo = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      let begin = (): void => undefined;
      const hasBegun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const late = inTransaction(world(), async (tx) => {
        const draft = { type: 'release.created', actor: ACTOR, atMs: tx.nowMs, promotionId: null, data: {} } as const;
        await tx.writeEvents([{ ...draft, subject: 'late' }]);
        begin();
        await isLetGo;
      });
      await hasBegun;
      await write(world(), 'early');
      expect(await world().sequencer.appendToChain(10)).toBe(1);
      letGo();
      await late;
      expect(await world().sequencer.appendToChain(10)).toBe(1);
      const chain = await chainOf(world());
      expect(chain.map((one) => one.subject)).toEqual(['early', 'late']);
      expectWhole(chain);
    });

    it('takes turns with others, and gives each event one place', async () => {
      for (let count = 0; count < 20; count += 1) await write(world(), `event ${count}`);
      const counts = await Promise.all(Array.from({ length: 6 }, () => world().sequencer.appendToChain(4)));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
      const chain = await chainOf(world());
      expect(chain).toHaveLength(20);
      expectWhole(chain);
    });

    it('whose answer was lost goes on where it was', async () => {
      for (const subject of ['a', 'b', 'c']) await write(world(), subject);
      world().control.loseNextCommit();
      await expect(world().sequencer.appendToChain(2)).rejects.toMatchObject({ code: 'database.unavailable' });
      expect(await world().sequencer.appendToChain(10)).toBe(1);
      expectWhole(await chainOf(world()));
    });
  });
}
