/** Writes of the API: one effect per Idempotency-Key, If-Match, dry runs, and every refusal with its code. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  type GateServer,
  startGateServer,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

let test: TestServer;
let gate: GateServer;
beforeAll(async () => {
  test = await startTestServer();
  gate = await startGateServer();
  await createReleases(test, 9);
  await applyEnvironments(test, [
    { name: 'open' },
    { name: 'signed', gates: ['- { name: sign, kind: approval }'] },
    { name: 'gated', gates: [`- { name: tests, kind: http, url: "${gate.url}", timeout: 1s, retries: 0 }`] },
    { name: 'far', gates: ['- { name: tests, kind: http, url: "http://192.0.2.1/", timeout: 1s, retries: 0 }'] },
    { name: 'gone', gates: ['- { name: tests, kind: http, url: "http://127.0.0.1:1/", timeout: 1s, retries: 0 }'] },
    { name: 'after', promotesFrom: ['signed'] },
  ]);
});
afterAll(async () => {
  gate.close();
  await test.remove();
});

const promote = async (release: string, environment: string): Promise<string> =>
  (await test.admin.call('createPromotion', { body: { release, environment } })).id;
const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  ask(test.server, path, { body, headers });

describe('a request with an Idempotency-Key', () => {
  const body = { release: 'shop-1', environment: 'signed' };

  it('has one effect and one answer, however often it comes, also at once', async () => {
    const key = { 'idempotency-key': 'deploy-42' };
    const answers = await Promise.all([1, 2, 3].map(() => post('/api/v1/promotions', body, key)));
    const later = await post('/api/v1/promotions', body, key);
    expect(answers.map((one) => one.status)).toEqual([201, 201, 201]);
    expect(new Set([...answers, later].map((one) => one.body['id'])).size).toBe(1);
    const { items } = await test.admin.call('listPromotions', { query: { environment: 'signed', release: 'shop-1' } });
    expect(items).toHaveLength(1);
  });

  it('is refused with idempotency.mismatch when its body is another', async () => {
    const other = await post('/api/v1/promotions', { ...body, release: 'shop-2' }, { 'idempotency-key': 'deploy-42' });
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency.mismatch' } });
  });

  it('answers the same new token again, which is stored encrypted', async () => {
    const mint = () => post('/api/v1/tokens', { name: 'once' }, { 'idempotency-key': 'mint-1' });
    const [first, second] = [await mint(), await mint()];
    expect(first).toMatchObject({ status: 201 });
    expect(second.body['token']).toBe(first.body['token']);
  });
});

describe('a dry run', () => {
  it('answers what would be, and changes nothing', async () => {
    const dry = await post('/api/v1/promotions', { release: 'shop-3', environment: 'open', dryRun: true });
    expect(dry).toMatchObject({ status: 201, body: { environment: 'open' } });
    expect((await test.admin.call('listPromotions', { query: { release: 'shop-3' } })).items).toEqual([]);
  });
});

describe('a promotion', () => {
  it('is refused with promotion.live_exists, promotion.same_as_base, promotion.older_than_base', async () => {
    const live = await post('/api/v1/promotions', { release: 'shop-1', environment: 'signed' });
    expect(live).toMatchObject({ status: 409, body: { code: 'promotion.live_exists' } });
    await untilStatus(test.admin, await promote('shop-2', 'open'), 'completed');
    const same = await post('/api/v1/promotions', { release: 'shop-2', environment: 'open' });
    expect(same.body).toMatchObject({ code: 'promotion.same_as_base' });
    const older = await post('/api/v1/promotions', { release: 'shop-1', environment: 'open' });
    expect(older.body).toMatchObject({ code: 'promotion.older_than_base' });
    const early = await post('/api/v1/promotions', { release: 'shop-2', environment: 'after' });
    expect(early.body).toMatchObject({ code: 'promotion.not_in_predecessor' });
  });

  it('is changed only as it was seen: promotion.version, etag.mismatch', async () => {
    const id = await promote('shop-4', 'signed');
    await untilStatus(test.admin, id, 'pending_approval');
    const stale = await post(`/api/v1/promotions/${id}/cancel`, {}, { 'if-match': '"v1"' });
    expect(stale).toMatchObject({ status: 409, body: { code: 'promotion.version' } });
    const odd = await post(`/api/v1/promotions/${id}/cancel`, {}, { 'if-match': 'yesterday' });
    expect(odd).toMatchObject({ body: { code: 'etag.mismatch' } });
    const seen = await ask(test.server, `/api/v1/promotions/${id}`);
    const etag = seen.headers.get('etag') ?? '';
    const unchanged = await ask(test.server, `/api/v1/promotions/${id}`, { headers: { 'if-none-match': etag } });
    expect(unchanged.status).toBe(304);
    expect(await post(`/api/v1/promotions/${id}/cancel`, {}, { 'if-match': etag })).toMatchObject({ status: 200 });
    expect(await untilStatus(test.admin, id, 'cancelled')).toBe('cancelled');
    const ended = await post(`/api/v1/promotions/${id}/cancel`, {});
    expect(ended).toMatchObject({ status: 409, body: { code: 'promotion.illegal_transition' } });
    expect(ended.body['next']).toEqual([expect.objectContaining({ title: expect.any(String) as string })]);
  });

  it('is approved by another person, not by the one who asked: auth.own_request, approval.repeated', async () => {
    const id = await promote('shop-5', 'signed');
    await untilStatus(test.admin, id, 'pending_approval');
    const own = await post(`/api/v1/promotions/${id}/approve`, {});
    expect(own).toMatchObject({ status: 403, body: { code: 'auth.own_request' } });
    const bob = await enrol(test, 'bob', 'approver@signed');
    const unknown = await ask(test.server, `/api/v1/promotions/${id}/approve`, {
      token: bob.token,
      body: { gate: 'sing' },
    });
    expect(unknown).toMatchObject({ status: 404, body: { code: 'gate.not_found', details: { nearest: 'sign' } } });
    await bob.client.call('approvePromotion', { parameters: { promotion: id }, body: { reason: 'good' } });
    expect(await untilStatus(test.admin, id, 'completed')).toBe('completed');
  });

  it.each([
    { release: 'shop-6', text: '{"verdict":"passed","message":"fine"}', status: 'completed', code: undefined },
    { release: 'shop-7', text: '{"verdict":"failed","message":"no"}', status: 'rejected', code: 'gate.failed' },
  ])('ends $status as its gate says', async ({ release, text, status, code }) => {
    gate.answerWith(200, text);
    const id = await promote(release, 'gated');
    await untilStatus(test.admin, id, status);
    expect((await test.admin.call('getPromotion', { parameters: { promotion: id } })).ending?.code).toBe(code);
  });

  it.each([
    { release: 'shop-8', environment: 'gated', status: 500, text: '', code: 'gate.error' },
    { release: 'shop-9', environment: 'gated', status: 200, text: 'yes', code: 'gate.bad_response' },
    { release: 'shop-8', environment: 'far', status: 200, text: '', code: 'gate.address_forbidden' },
    { release: 'shop-8', environment: 'gone', status: 200, text: '', code: 'gate.unreachable' },
  ])('is held when its gate gives no verdict: $code in $environment', async (one) => {
    gate.answerWith(one.status, one.text);
    const parameters = { promotion: await promote(one.release, one.environment) };
    const firstAttempt = async () =>
      (await test.admin.call('listGateRuns', { parameters })).items[0]?.attempts[0]?.code;
    await expect.poll(firstAttempt, { timeout: 15_000 }).toBe(one.code);
    await test.admin.call('cancelPromotion', { parameters, body: {} });
    expect(await untilStatus(test.admin, parameters.promotion, 'cancelled')).toBe('cancelled');
  });
});

describe('releases and environments', () => {
  it('are refused with release.name_taken, registry.tag_not_found, input.reference', async () => {
    const make = (name: string, artifact: string) =>
      post('/api/v1/releases', { name, components: [{ name: 'web', artifact }] });
    const layout = `oci-layout:${test.place.layouts}`;
    expect(await make('shop-1', `${layout}:1`)).toMatchObject({ status: 409, body: { code: 'release.name_taken' } });
    expect(await make('new', `${layout}:nine`)).toMatchObject({ body: { code: 'registry.tag_not_found' } });
    expect(await make('new', 'http//what')).toMatchObject({ status: 400 });
    const down = await make('new', '127.0.0.1:1/shop:1');
    expect(down).toMatchObject({ status: 503, body: { code: 'registry.unreachable' } });
  });

  it('keep an environment that a live promotion needs: apply.in_use', async () => {
    const id = await promote('shop-9', 'signed');
    await untilStatus(test.admin, id, 'pending_approval');
    const { items } = await test.admin.call('listEnvironments');
    const kept = items.filter((one) => !['signed', 'after'].includes(one.name));
    const documents = await Promise.all(
      kept.map(async ({ name }) => ({
        file: `${name}.yaml`,
        text: (await test.admin.call('getEnvironment', { parameters: { environment: name } })).yaml,
      })),
    );
    const pruned = await post('/api/v1/apply', { documents, prune: true });
    expect(pruned).toMatchObject({ status: 409, body: { code: 'apply.in_use' } });
    expect((await test.admin.call('listEnvironments')).items).toHaveLength(items.length);
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
    await untilStatus(test.admin, id, 'cancelled');
    expect(await post('/api/v1/apply', { documents, prune: true })).toMatchObject({ status: 200 });
    expect((await test.admin.call('listEnvironments')).items).toHaveLength(kept.length);
  });
});
