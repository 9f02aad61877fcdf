/** Two promotions race for one environment on a real database, in both modes of `locks.mode` (safety S1, L4). */
import type { Decision, PromotionId } from '@stella/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../../src/store/connection.ts';
import { type EngineHand, takeEngineInHand } from './engine-hand.ts';
import { applyEnvironments, ask, createReleases, startTestServer, type TestServer } from './http-fixture.ts';

let test: TestServer;
let engine: EngineHand;
beforeAll(async () => {
  test = await startTestServer({}, { role: 'api' });
  await createReleases(test, 2);
  engine = await takeEngineInHand(test.place.dataDir);
});
afterAll(async () => {
  await engine.close();
  await test.remove();
});

const setMode = (value: string) => ask(test.server, '/api/v1/settings/locks.mode', { body: { value } });
const create = async (release: string, environment: string): Promise<PromotionId> =>
  // Ids of promotions begin so.
  (await test.admin.call('createPromotion', { body: { release, environment } })).id as PromotionId;
const has = (purpose: string) => (decision: Decision) => decision.effects.some((one) => one.purpose === purpose);

describe.each(['pessimistic', 'optimistic'] as const)('two promotions, locks.mode %s', (mode) => {
  const environment = `race-${mode}`;

  it('race for the lock: one gets it, the other joins the queue and is woken when it is free', async () => {
    expect(await setMode(mode)).toMatchObject({ status: 200, body: { value: mode } });
    await applyEnvironments(test, [{ name: environment }]);
    const ids = [await create('shop-1', environment), await create('shop-2', environment)] as const;
    // The next tick of each takes the locks, or waits for them.
    const last = mode === 'optimistic' ? 'preflight_target' : 'precheck_target';
    for (const id of ids) await engine.until(id, has(last));
    const [first, second] = await Promise.all(ids.map((id) => engine.tick(id)));
    const winner = first?.takenLocks.length === 0 ? second : first;
    const loser = winner === first ? second : first;
    if (!winner || !loser) throw new Error('both were due');
    expect(winner.promotion.step).toBe(mode === 'optimistic' ? 'deploy' : 'preflight');
    expect(loser).toMatchObject({ takenLocks: [], promotion: { step: 'acquire_locks', workerId: null } });
    expect(loser.promotion.ticket).toEqual(expect.any(Number));
    const waits = loser.steps.find((run) => run.step === 'acquire_locks')?.message;
    expect(waits).toBe(`waits for lock ${winner.takenLocks[0]?.id} of ${winner.promotion.id}`);

    await engine.until(winner.promotion.id, ({ promotion }) => promotion.status === 'completed');
    const woken = await engine.tick(loser.promotion.id);
    const isOlder = loser.promotion.id === ids[0];
    expect(woken?.promotion).toMatchObject(
      isOlder ? { status: 'superseded' } : { step: 'preflight', preflightRevision: null, status: 'in_progress' },
    );
    if (!isOlder) await engine.until(loser.promotion.id, ({ promotion }) => promotion.status === 'completed');
  });
});

describe('a second exclusive lock', () => {
  it('is refused by the index itself, whoever writes it', async () => {
    await applyEnvironments(test, [{ name: 'held' }]);
    const id = await create('shop-1', 'held');
    await engine.until(id, has('deploy'));
    const other = await create('shop-2', 'held');
    const text = `insert into locks (id, resource, mode, promotion_id, fence_epoch, fence_n, acquired_at)
      values ('lck_other', 'environment:held', 'exclusive', $1, 1, 1, now())`;
    await expect(query(engine.database, { name: 'second_lock', text }, [other])).rejects.toMatchObject({
      code: '23505',
      constraint: 'locks_exclusive',
    });
    await engine.until(id, ({ promotion }) => promotion.status === 'completed');
  });
});

describe('an environment that is changed during a preflight without locks', () => {
  it('gets another preflight, under the locks', async () => {
    await setMode('optimistic');
    await applyEnvironments(test, [{ name: 'changing' }]);
    const id = await create('shop-1', 'changing');
    await engine.until(id, has('preflight_target'));
    await applyEnvironments(test, [{ name: 'changing', gates: ['- { name: sign, kind: approval }'] }]);
    const decision = await engine.tick(id);
    expect(decision?.promotion).toMatchObject({ step: 'preflight', preflightRevision: null });
    expect(decision?.takenLocks.length).toBeGreaterThan(0);
    expect(decision?.steps.find((run) => run.step === 'acquire_locks')).toMatchObject({ state: 'succeeded' });
    await engine.until(id, ({ promotion }) => promotion.status === 'completed');
  });
});
