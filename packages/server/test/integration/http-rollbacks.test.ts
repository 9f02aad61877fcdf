/** Rollbacks through the API: what is brought back, what they are refused for, and what was deployed where. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

let test: TestServer;
let bob: Awaited<ReturnType<typeof enrol>>;
beforeAll(async () => {
  test = await startTestServer();
  await createReleases(test, 5);
  await applyEnvironments(test, [
    { name: 'plain' },
    { name: 'signed', gates: ['- { name: sign, kind: approval }'] },
    { name: 'parts', more: ['concurrency: per_component'] },
    { name: 'twice' },
    { name: 'empty' },
    { name: 'listed' },
  ]);
  bob = await enrol(test, 'bob', 'approver@*');
});
afterAll(() => test.remove());

async function promote(release: string, environment: string): Promise<string> {
  const { id } = await test.admin.call('createPromotion', { body: { release, environment } });
  if (environment === 'signed') await approve(id);
  await untilStatus(test.admin, id, 'completed');
  return id;
}

async function approve(promotion: string): Promise<void> {
  await untilStatus(test.admin, promotion, 'pending_approval');
  await bob.client.call('approvePromotion', { parameters: { promotion }, body: {} });
}

const start = (environment: string, release?: string) =>
  test.admin.call('startRollback', {
    body: { environment, ...(release ? { release } : {}), reason: 'it answers 500' },
  });
const refusal = async (body: object): Promise<unknown> => {
  const answer = await ask(test.server, '/api/v1/rollbacks', { body });
  return { status: answer.status, code: answer.body['code'] };
};
const runs = async (environment: string): Promise<string | null> =>
  (await test.admin.call('getEnvironment', { parameters: { environment } })).release?.name ?? null;

describe('a rollback', () => {
  it('brings back what completed before, one further each time, and never what it took away', async () => {
    for (const release of ['shop-1', 'shop-2', 'shop-3']) await promote(release, 'plain');
    const first = await start('plain');
    expect(first).toMatchObject({ kind: 'rollback', release: { name: 'shop-2' }, priority: 'high' });
    await untilStatus(test.admin, first.id, 'completed');
    expect(await runs('plain')).toBe('shop-2');
    const second = await start('plain');
    await untilStatus(test.admin, second.id, 'completed');
    expect(await runs('plain')).toBe('shop-1');
    expect(await refusal({ environment: 'plain' })).toEqual({ status: 409, code: 'rollback.nothing_before' });
    const { items } = await test.admin.call('tracePromotion', { parameters: { promotion: second.id } });
    expect(items[0]?.data).toMatchObject({ kind: 'rollback', reason: 'it answers 500' });
    // What was taken away comes back the ordinary way.
    await promote('shop-3', 'plain');
  });

  it('is refused for what is newer, runs already or never completed there', async () => {
    await promote('shop-4', 'plain');
    const to = (release: string) => refusal({ environment: 'plain', release });
    expect(await to('shop-5')).toEqual({ status: 409, code: 'rollback.never_completed' });
    expect(await to('shop-4')).toEqual({ status: 409, code: 'promotion.same_as_base' });
    await untilStatus(test.admin, (await start('plain', 'shop-2')).id, 'completed');
    expect(await to('shop-4')).toEqual({ status: 409, code: 'rollback.not_older' });
    expect(await refusal({ environment: 'empty' })).toEqual({ status: 409, code: 'rollback.nothing_before' });
    expect(await refusal({ environment: 'plian' })).toEqual({ status: 404, code: 'environment.not_found' });
  });

  it('waits for an approval where the environment wants one, also when it is tried again', async () => {
    await promote('shop-1', 'signed');
    await promote('shop-2', 'signed');
    const back = await start('signed');
    await untilStatus(test.admin, back.id, 'pending_approval');
    await bob.client.call('rejectPromotion', { parameters: { promotion: back.id }, body: { reason: 'not now' } });
    await untilStatus(test.admin, back.id, 'rejected');
    const again = await test.admin.call('retryPromotion', { parameters: { promotion: back.id }, body: {} });
    expect(again).toMatchObject({ kind: 'rollback', release: { name: 'shop-1' }, retryOf: back.id });
    await approve(again.id);
    await untilStatus(test.admin, again.id, 'completed');
    expect(await runs('signed')).toBe('shop-1');
  });

  it('asked for again with its key is answered as before, though nothing older is left (safety S12)', async () => {
    for (const release of ['shop-1', 'shop-2']) await promote(release, 'twice');
    const order = { idempotencyKey: 'back-once', body: { environment: 'twice', reason: 'it answers 500' } };
    const first = await test.admin.call('startRollback', order);
    await untilStatus(test.admin, first.id, 'completed');
    expect((await test.admin.call('startRollback', order)).id).toBe(first.id);
  });

  it('is found in lists by its kind, alone or with other filters', async () => {
    for (const release of ['shop-1', 'shop-2']) await promote(release, 'listed');
    const { id } = await start('listed');
    await untilStatus(test.admin, id, 'completed');
    const listed = async (query: object): Promise<readonly string[]> => {
      const of = { environment: 'listed', ...query };
      const { items } = await test.admin.call('listPromotions', { query: of });
      const { count } = await test.admin.call('countPromotions', { query: of });
      const { items: actors } = await test.admin.call('countPromotionActors', { query: of });
      expect([count, actors[0]?.count ?? 0]).toEqual([items.length, items.length]);
      return items.map(({ kind, release }) => `${kind} ${release.name}`);
    };
    expect(await listed({ kind: 'rollback' })).toEqual(['rollback shop-1']);
    expect(await listed({ kind: 'deploy,rollback', status: 'completed', last: '1h' })).toEqual(['rollback shop-1']);
    expect(await listed({ kind: 'rollback', release: 'shop-2' })).toEqual([]);
    expect(await listed({ kind: 'promote' })).toEqual(['promote shop-2', 'promote shop-1']);
    expect(await listed({ kind: 'promote', release: 'shop-1' })).toEqual(['promote shop-1']);
    expect(await listed({ kind: 'promote,rollback' })).toHaveLength(3);
    const everywhere = await test.admin.call('listPromotions', { query: { kind: 'rollback', limit: 500 } });
    expect(everywhere.items.map((one) => one.id)).toContain(id);
    expect(everywhere.items.every(({ kind }) => kind === 'rollback')).toBe(true);
    const page = await test.admin.call('listPromotions', { query: { kind: 'promote', limit: 1 } });
    expect(page.items.map(({ kind }) => kind)).toEqual(['promote']);
  });

  it('takes its own right', async () => {
    const vera = await enrol(test, 'vera', 'viewer@*', 'approver@*');
    const call = vera.client.call('startRollback', { body: { environment: 'plain' } });
    await expect(call).rejects.toMatchObject({ code: 'auth.forbidden', details: { action: 'promotion.rollback' } });
  });

  it('tried in a dry run leaves nothing behind', async () => {
    const body = { environment: 'plain', release: 'shop-1', dryRun: true };
    const { id } = await test.admin.call('startRollback', { body });
    const gone = test.admin.call('getPromotion', { parameters: { promotion: id } });
    await expect(gone).rejects.toMatchObject({ code: 'promotion.not_found' });
  });
});

describe('what was deployed', () => {
  it('is listed newest first, by how it ended', async () => {
    const list = (query: object) =>
      test.admin.call('listDeployments', { parameters: { environment: 'signed' }, query });
    const all = await list({});
    expect(all.items.map((one) => [one.kind, one.release.name, one.over, one.state])).toEqual([
      ['rollback', 'shop-1', 'shop-2', 'success'],
      ['promote', 'shop-2', 'shop-1', 'success'],
      ['promote', 'shop-1', null, 'success'],
    ]);
    expect((await list({ limit: 1 })).items).toHaveLength(1);
    // The rejected one never came to its targets.
    expect((await list({ status: 'failed' })).items).toEqual([]);
  });
});
