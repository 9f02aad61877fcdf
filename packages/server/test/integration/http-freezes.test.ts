/** `environment freeze` and `unfreeze`, planned freezes and windows, on a real server. */
import { waitFor } from '@stella/testkit';
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

const TIMEOUT_MS = 30_000;

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer();
  await applyEnvironments(test, [
    { name: 'free' },
    { name: 'hours', gates: ['- { name: hours, kind: window }', '- { name: sign, kind: approval }'] },
    { name: 'planned' },
  ]);
  await createReleases(test, 3);
});
afterAll(() => test.remove());

const promotion = (id: string) => test.admin.call('getPromotion', { parameters: { promotion: id } });
const environment = (name: string) => test.admin.call('getEnvironment', { parameters: { environment: name } });
const freeze = (name: string, body: { reason: string; for?: string }) =>
  test.admin.call('freezeEnvironment', { parameters: { environment: name }, body });

async function promote(release: string, name: string): Promise<string> {
  return (await test.admin.call('createPromotion', { body: { release, environment: name } })).id;
}

describe('a freeze', () => {
  it('holds what comes, without a lock, until somebody unfreezes; each change is one event with its version', async () => {
    const answer = await freeze('free', { reason: 'on television' });
    expect(answer).toMatchObject({ version: 1, freeze: { reason: 'on television', by: 'admin', until: null } });
    const id = await promote('shop-1', 'free');
    await untilStatus(test.admin, id, 'scheduled');
    expect(await promotion(id)).toMatchObject({
      locks: [],
      gates: [{ gate: 'freeze', kind: 'window', message: 'frozen by admin: on television' }],
    });
    expect((await environment('free')).freeze).toMatchObject({ reason: 'on television' });
    const ended = await test.admin.call('unfreezeEnvironment', { parameters: { environment: 'free' }, body: {} });
    expect(ended).toMatchObject({ version: 2, freeze: null });
    await untilStatus(test.admin, id, 'completed');
    expect((await environment('free')).freeze).toBeNull();
  });

  it('is for operators of that environment, with a reason and at most one end', async () => {
    const olga = await enrol(test, 'olga', 'operator@free', 'viewer@*');
    const path = (name: string): string => `/api/v1/environments/${name}/freeze`;
    const token = olga.token;
    const statusOf = async (name: string, body: object): Promise<number> =>
      (await ask(test.server, path(name), { token, body })).status;
    expect(await statusOf('hours', { reason: 'x' })).toBe(403);
    expect(await statusOf('free', {})).toBe(400);
    expect(await statusOf('free', { reason: 'x', for: '1h', until: '2030-01-01T00:00:00Z' })).toBe(400);
    expect(await statusOf('free', { reason: 'x', until: '2020-01-01T00:00:00Z' })).toBe(400);
    expect(await statusOf('free', { reason: 'x', for: '1h', dryRun: true })).toBe(200);
    expect((await environment('free')).freeze).toBeNull();
    const none = await ask(test.server, '/api/v1/environments/free/unfreeze', { token, body: {} });
    expect(none).toMatchObject({ status: 409, body: { code: 'freeze.none' } });
    const stale = await ask(test.server, path('free'), {
      token,
      body: { reason: 'x' },
      headers: { 'if-match': '"v1"' },
    });
    expect(stale).toMatchObject({ status: 409, body: { code: 'etag.mismatch' } });
  });

  it('that ends by itself lets go by itself; what had passed is asked again meanwhile', async () => {
    const id = await promote('shop-1', 'hours');
    await untilStatus(test.admin, id, 'pending_approval');
    expect((await promotion(id)).gates).toMatchObject([{ gate: 'hours', state: 'passed' }, { gate: 'sign' }]);
    await freeze('hours', { reason: 'a minute of silence', for: '6s' });
    await waitFor(async () => (await promotion(id)).gates.some((run) => run.gate === 'hours' && run.round === 2), {
      timeoutMs: TIMEOUT_MS,
      why: 'the window is asked again',
    });
    const bea = await enrol(test, 'bea', 'approver@*', 'viewer@*');
    await bea.client.call('approvePromotion', { parameters: { promotion: id }, body: {} });
    await untilStatus(test.admin, id, 'completed');
    const runs = (await promotion(id)).gates.filter((run) => run.gate === 'hours');
    expect(runs.map((run) => run.state)).toEqual(['expired', 'passed']);
  });
});

describe('a planned freeze', () => {
  it('that is applied later counts for what is under way; apply lets go of it, too', async () => {
    const at = (offsetMs: number): string => new Date(Date.now() + offsetMs).toISOString().slice(0, 16);
    const day = 86_400_000;
    const frozen = `freezes: [{ from: ${at(-day)}, to: ${at(day)}, reason: inventory }]`;
    await applyEnvironments(test, [{ name: 'planned', more: [frozen] }]);
    const id = await promote('shop-2', 'planned');
    await untilStatus(test.admin, id, 'scheduled');
    expect((await environment('planned')).freeze).toMatchObject({ reason: 'inventory', by: null });
    await applyEnvironments(test, [{ name: 'planned' }]);
    await untilStatus(test.admin, id, 'completed');
  });
});
