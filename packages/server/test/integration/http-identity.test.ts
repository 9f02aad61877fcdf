/** Who may call: tokens, codes, roles on environments; the same answers for every route of the table. */
import { ROUTE_NAMES, ROUTES, routePath } from '@stella/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applyEnvironments, ask, createReleases, enrol, startTestServer, type TestServer } from './http-fixture.ts';

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer();
  await createReleases(test, 1);
  await applyEnvironments(test, [{ name: 'dev' }, { name: 'prod' }]);
});
afterAll(() => test.remove());

const NAMES = {
  environment: 'dev',
  release: 'shop-1',
  promotion: 'prm_00',
  lock: 'lck_00',
  token: 'tok_00',
  setting: 'locks.timeout',
};
const pathOf = (name: (typeof ROUTE_NAMES)[number]): string => routePath(ROUTES[name].path, NAMES);
const CLOSED = ROUTE_NAMES.filter((name) => ROUTES[name].policy !== 'public');

describe('every route that is not public', () => {
  it.each(CLOSED)('%s answers auth.missing without a token and auth.invalid with an unknown one', async (name) => {
    const request = { method: ROUTES[name].method, ...(ROUTES[name].method === 'POST' ? { body: {} } : {}) };
    const missing = await ask(test.server, pathOf(name), { ...request, token: null });
    expect(missing).toMatchObject({ status: 401, body: { code: 'auth.missing' } });
    const unknown = await ask(test.server, pathOf(name), { ...request, token: `stella_${'x'.repeat(43)}` });
    expect(unknown).toMatchObject({ status: 401, body: { code: 'auth.invalid' } });
    expect(unknown.headers.get('content-type')).toContain('application/problem+json');
  });

  it.each(CLOSED)('%s is open to exactly the roles of its policy', async (name) => {
    const { policy, method } = ROUTES[name];
    const viewer = await enrol(test, `viewer-${name}`, 'viewer@*');
    const path = name === 'streamEvents' ? '/api/v1/version' : pathOf(name);
    const answer = await ask(test.server, path, {
      method,
      token: viewer.token,
      ...(method === 'POST' ? { body: {} } : {}),
    });
    const isForViewers = policy === 'token' || /\.read$|^token\.|^identity/.test(policy);
    expect(answer.body['code'] === 'auth.forbidden').toBe(!isForViewers);
  });
});

describe('a role on some environments', () => {
  it('shows those and hides the others, in lists too', async () => {
    const { client, token } = await enrol(test, 'dana', 'releaser@dev');
    const hidden = await ask(test.server, '/api/v1/environments/prod', { token });
    expect(hidden).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const { items } = await client.call('listEnvironments');
    expect(items.map((one) => one.name)).toEqual(['dev']);
    const refused = await ask(test.server, '/api/v1/promotions', {
      token,
      body: { release: 'shop-1', environment: 'prod' },
    });
    expect(refused).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
  });

  it('gives nobody more than he has', async () => {
    const { token } = await enrol(test, 'erin', 'approver@dev');
    const minted = (roles: string[]) =>
      ask(test.server, '/api/v1/tokens', { token, body: { name: 'ci', automation: 'erins-ci', roles } });
    expect(await minted(['approver@dev'])).toMatchObject({ status: 201 });
    expect(await minted(['approver@*'])).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    expect(await minted(['admin@dev'])).toMatchObject({ status: 403 });
  });
});

describe('codes and tokens', () => {
  it('takes a code once, then answers auth.code_invalid', async () => {
    const { code } = await test.admin.call('createPerson', { body: { subject: 'frank', roles: ['viewer@*'] } });
    const login = () => ask(test.server, '/api/v1/auth/login', { token: null, body: { code } });
    expect(await login()).toMatchObject({ status: 201, body: { owner: 'frank' } });
    expect(await login()).toMatchObject({ status: 401, body: { code: 'auth.code_invalid' } });
    const again = await ask(test.server, '/api/v1/persons', { body: { subject: 'frank', roles: ['viewer@*'] } });
    expect(again).toMatchObject({ status: 409, body: { code: 'person.exists' } });
  });

  it('ends with auth.revoked after a revocation, and auth.expired after its time', async () => {
    const minted = await test.admin.call('mintToken', { body: { name: 'short', expiresIn: '1s' } });
    await expect
      .poll(async () => (await ask(test.server, '/api/v1/auth/whoami', { token: minted.token })).body['code'])
      .toBe('auth.expired');
    const other = await test.admin.call('mintToken', { body: { name: 'other' } });
    await test.admin.call('revokeToken', { parameters: { token: other.id }, body: {} });
    const revoked = await ask(test.server, '/api/v1/auth/whoami', { token: other.token });
    expect(revoked).toMatchObject({ status: 401, body: { code: 'auth.revoked' } });
    const unknown = await ask(test.server, '/api/v1/tokens/tok_00000000000000000000000000000000/revoke', { body: {} });
    expect(unknown).toMatchObject({ status: 404, body: { code: 'token.not_found' } });
  });

  it('never shows a token again, and stores only its hash', async () => {
    const { token } = await test.admin.call('mintToken', { body: { name: 'hidden' } });
    expect(JSON.stringify(await test.admin.call('listTokens'))).not.toContain(token);
    expect(token.length).toBeGreaterThan(40);
  });

  it('asks automation for a person with auth.person_needed', async () => {
    const { token } = await test.admin.call('mintToken', {
      body: { name: 'ci', automation: 'ci', roles: ['admin@*'] },
    });
    const minting = await ask(test.server, '/api/v1/tokens', { token, body: { name: 'more' } });
    expect(minting).toMatchObject({ status: 403, body: { code: 'auth.person_needed' } });
  });

  it('recovers with the key in the file that only the server may read, and limits guessing: auth.rate_limited', async () => {
    const key = (await readFile(join(test.place.dataDir, 'recovery.key'), 'utf8')).trim();
    const recover = (text: string) => ask(test.server, '/api/v1/auth/recover', { token: null, body: { key: text } });
    expect(await recover(key)).toMatchObject({ status: 201, body: { owner: 'admin' } });
    const codes = new Set<unknown>();
    for (let count = 0; count < 30 && !codes.has('auth.rate_limited'); count += 1) {
      codes.add((await recover('wrong')).body['code']);
    }
    expect([...codes]).toEqual(['auth.invalid', 'auth.rate_limited']);
  });
});
