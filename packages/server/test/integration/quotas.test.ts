/** Quotas on a real server: who meets one that is used up waits without a lock, and never do two take the last place. */
import { writeOciLayout } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PromotionId } from '@stella/domain';
import { type EngineHand, takeEngineInHand } from './engine-hand.ts';
import { ask, enrol, startTestServer, type TestServer } from './http-fixture.ts';

let test: TestServer;
let engine: EngineHand;
beforeAll(async () => {
  test = await startTestServer({}, { role: 'api' });
  engine = await takeEngineInHand(test.place.dataDir);
  await writeOciLayout(test.place.layouts, [{ tag: '1', files: { 'index.html': 'page' } }]);
  const artifact = `oci-layout:${test.place.layouts}:1`;
  for (const name of ['web', 'api', 'worker', 'job']) {
    await test.admin.call('createRelease', { body: { name, components: [{ name, artifact }] } });
  }
  await apply('mix', 'quotas: { perDay: 2, timeZone: Europe/Vienna }');
});
afterAll(async () => {
  await engine.close();
  await test.remove();
});

async function apply(name: string, quotas: string): Promise<void> {
  const targets = ['web', 'api', 'worker', 'job'].map(
    (one) => `  - { name: ${one}, kind: files, component: ${one}, directory: ${test.place.targets}/${name}/${one} }`,
  );
  const text = ['kind: Environment', `name: ${name}`, 'concurrency: per_component', 'targets:', ...targets, quotas, ''];
  await test.admin.call('applyDefinitions', { body: { documents: [{ file: 'x.yaml', text: text.join('\n') }] } });
}

const create = async (release: string): Promise<PromotionId> =>
  // Ids of promotions begin so.
  (await test.admin.call('createPromotion', { body: { release, environment: 'mix' } })).id as PromotionId;
const perDay = async () =>
  (await test.admin.call('listQuotas', { query: { environment: 'mix' } })).items.find((one) => one.name === 'perDay');
const isIn = (step: string) => (decision: { promotion: { step: string } }) => decision.promotion.step === step;

describe('a quota', () => {
  it('has one place left for two that come at the same moment, and one of them waits until the limit is raised', async () => {
    const first = await create('web');
    await engine.until(first, isIn('deploy'));
    const rivals = [await create('api'), await create('worker')];
    for (const id of rivals) await engine.until(id, isIn('precheck'));
    const decisions = await Promise.all(rivals.map((id) => engine.tick(id)));
    const steps = decisions.map((one) => one?.promotion.step ?? '');
    expect(steps.filter((step) => step === 'preflight')).toHaveLength(1);
    const loser = decisions.findIndex((one) => one?.promotion.step === 'acquire_locks');
    const waiting = rivals[loser];
    if (!waiting) throw new Error('one of them waits');
    const shown = await test.admin.call('getPromotion', { parameters: { promotion: waiting } });
    expect(shown).toMatchObject({ status: 'queued', locks: [] });
    expect(await perDay()).toMatchObject({
      limit: 2,
      declared: 2,
      set: null,
      used: 2,
      waiting: 1,
      timeZone: 'Europe/Vienna',
    });

    const rita = await enrol(test, 'rita', 'releaser@*');
    const asked = await ask(test.server, '/api/v1/environments/mix/quota-requests', {
      token: rita.token,
      body: { name: 'perDay', wanted: 3, reason: 'release day' },
    });
    expect(asked.status).toBe(200);
    expect((await perDay())?.request).toMatchObject({ wanted: 3, by: 'rita', reason: 'release day' });
    const denied = await ask(test.server, '/api/v1/environments/mix/quotas', {
      token: rita.token,
      body: { limits: { perDay: 3 } },
    });
    expect(denied.status).toBe(403);

    const body = { limits: { perDay: 3 }, reason: 'granted' };
    const changed = await test.admin.call('changeQuotas', { parameters: { environment: 'mix' }, body });
    expect(changed.limits).toEqual([{ name: 'perDay', from: 2, to: 3, set: 3 }]);
    expect(await perDay()).toMatchObject({ limit: 3, set: 3, setBy: 'admin', request: null });
    // Due at once, by the same transaction.
    expect((await engine.tick(waiting))?.promotion).toMatchObject({ step: 'preflight', quotaWait: null });
    expect(await perDay()).toMatchObject({ used: 3, waiting: 0 });
  });

  it('counts for whoever waits as soon as a definition says so', async () => {
    const id = await create('job');
    await engine.until(id, isIn('acquire_locks'));
    await test.admin.call('changeQuotas', { parameters: { environment: 'mix' }, body: { limits: { perDay: null } } });
    await apply('mix', 'quotas: { perDay: 4, timeZone: Europe/Vienna }');
    expect((await engine.tick(id))?.promotion.step).toBe('preflight');
  });

  it.each([
    [{ limits: {} }, 'expected at least one'],
    [{ limits: { perDay: 0 } }, 'perDay'],
    [{ limits: { perWeek: 3 } }, 'perWeek'],
  ])('refuses %j', async (body, words) => {
    const answer = await ask(test.server, '/api/v1/environments/mix/quotas', { body });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).toContain(words);
  });
});
