/** `queue: latest` on a real database: who is woken, who makes way, and that SQL and domain mean the same by it. */
import { doesReplace, PRIORITIES, type Priority, type PromotionId, STANDARD_SETTINGS } from '@stella/domain';
import { writeOciLayout } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImmutableRows } from '../../src/store/immutable-rows.ts';
import { makeReadStore } from '../../src/store/postgres-read-store.ts';
import { type EngineHand, takeEngineInHand } from './engine-hand.ts';
import { applyEnvironments, startTestServer, type TestServer } from './http-fixture.ts';

let test: TestServer;
let engine: EngineHand;
beforeAll(async () => {
  test = await startTestServer({}, { role: 'api' });
  engine = await takeEngineInHand(test.place.dataDir);
  await writeOciLayout(test.place.layouts, [{ tag: '1', files: { 'index.html': 'page' } }]);
  await applyEnvironments(test, [
    { name: 'latest', gates: ['- { name: sign, kind: approval }'], more: ['queue: latest'] },
  ]);
});
afterAll(async () => {
  await engine.close();
  await test.remove();
});

async function create(release: string, components: readonly string[], priority: Priority): Promise<PromotionId> {
  const artifact = `oci-layout:${test.place.layouts}:1`;
  await test.admin.call('createRelease', {
    body: { name: release, components: components.map((name) => ({ name, artifact })) },
  });
  const body = { release, environment: 'latest', priority };
  // Ids of promotions begin so.
  return (await test.admin.call('createPromotion', { body })).id as PromotionId;
}

describe('a promotion that waits for its approval', () => {
  it('is woken when a newer one is made, and makes way for it in its own next tick', async () => {
    const older = await create('first', ['web'], 'normal');
    await engine.until(older, ({ promotion }) => promotion.status === 'pending_approval');
    expect(await engine.tick(older)).toBeNull();
    const newer = await create('second', ['api', 'web'], 'normal');
    expect((await engine.tick(older))?.promotion).toMatchObject({
      status: 'superseded',
      ending: { code: 'promotion.replaced', message: `${newer} with second took its place` },
    });
    await engine.until(newer, ({ promotion }) => promotion.status === 'pending_approval');
  });
});

describe('the statement that looks for a newer one', () => {
  it('finds what the domain finds, for every pair of priorities and components', async () => {
    const ids: PromotionId[] = [];
    const sets = [['web'], ['api', 'web'], ['web', 'worker'], ['web'], ['api', 'web', 'worker'], ['api', 'web']];
    for (const [index, components] of sets.entries()) {
      ids.push(await create(`pair-${index}`, components, PRIORITIES[index % PRIORITIES.length] ?? 'normal'));
    }
    const reads = makeReadStore(engine.database, {
      settings: STANDARD_SETTINGS,
      cache: makeImmutableRows(),
    });
    const snapshots = await Promise.all(ids.map(async (id) => (await reads.readPromotion(id)).snapshot));
    for (const older of snapshots) {
      const newest = snapshots
        .filter((newer) => doesReplace(newer, older))
        .sort((a, b) => b.release.number - a.release.number)[0];
      expect(older.replacement?.promotionId ?? null).toBe(newest?.promotion.id ?? null);
    }
    expect(snapshots.some((one) => one.replacement !== null)).toBe(true);
    expect(snapshots.some((one) => one.replacement === null)).toBe(true);
  });
});
