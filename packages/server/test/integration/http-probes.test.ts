/** Looking at targets, gates and registries over the API: harmless, stage by stage, kept for whoever asks later. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
/** What the gate's service was asked: `POST /tests`. */
const asked: string[] = [];
let isRefusing = false;
const service = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  request.resume();
  if (isRefusing) response.writeHead(401).end();
  else response.setHeader('content-type', 'application/json').end('{"verdict":"passed","message":"tested"}');
});

beforeAll(async () => {
  test = await startTestServer();
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = service.address() as AddressInfo;
  await createReleases(test, 1);
  await applyEnvironments(test, [
    {
      name: 'prod',
      gates: [
        `- { name: tests, kind: http, url: "http://127.0.0.1:${port}/tests", sla: 5s }`,
        `- { name: ticket, kind: http, url: "http://127.0.0.1:${port}/ticket", probe: /healthz }`,
      ],
    },
    { name: 'qa', gates: ['- { name: gone, kind: http, url: "http://127.0.0.1:1/" }'] },
  ]);
});
afterAll(async () => {
  service.closeAllConnections();
  service.close();
  await test.remove();
});

const codesOf = (report: { readonly stages: readonly { readonly code: string | null }[] } | undefined): unknown =>
  report?.stages.flatMap(({ code }) => (code === null || code === 'probe.skipped' ? [] : [code]));

describe('a probe', () => {
  it('asks gates only by HEAD, or GET of the path that they name, and counts as no attempt', async () => {
    asked.length = 0;
    const { items } = await test.admin.call('probeConnectivity', { body: { environment: 'prod' } });
    expect(items.map(({ kind, name, isOk }) => [kind, name, isOk])).toEqual([
      ['target', 'web', true],
      ['gate', 'tests', true],
      ['gate', 'ticket', true],
    ]);
    expect([...asked].sort()).toEqual(['GET /healthz', 'HEAD /tests']);
    expect(items[0]?.stages.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
      'path ok',
      'rights ok',
      'disk ok',
      'fence ok',
    ]);
  });

  it('says by its stage what is not there, and is kept', async () => {
    const { items } = await test.admin.call('probeConnectivity', { body: { gate: 'gone' } });
    expect(items).toHaveLength(1);
    expect(codesOf(items[0])).toEqual(['tcp.refused']);
    const kept = await test.admin.call('listProbes', { query: { environment: 'qa' } });
    expect(kept.items).toEqual(items);
  });

  it('of a gate that nobody has is gate.unknown, with the nearest, and of a viewer forbidden', async () => {
    const unknown = await ask(test.server, '/api/v1/probes', { body: { gate: 'test' } });
    expect(unknown).toMatchObject({ status: 404, body: { code: 'gate.unknown', details: { nearest: 'tests' } } });
    const { token } = await enrol(test, 'vera', 'viewer@*', 'operator@qa');
    const forbidden = await ask(test.server, '/api/v1/probes', { token, body: { environment: 'prod' } });
    expect(forbidden).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const { body } = await ask(test.server, '/api/v1/probes', { token, body: {} });
    expect((body['items'] as readonly { environment: string }[]).every((one) => one.environment === 'qa')).toBe(true);
  });

  it('of a promotion tells of its targets and of where its artifacts come from', async () => {
    const { id } = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'prod' } });
    await untilStatus(test.admin, id, 'completed');
    const { items } = await test.admin.call('listProbes', { query: { environment: 'prod' } });
    const found = items.filter(({ kind }) => kind !== 'gate').map(({ kind, isOk }) => `${kind} ${isOk}`);
    expect(found).toEqual(['registry true', 'target true']);
    const again = await test.admin.call('probeConnectivity', { body: { environment: 'prod' } });
    expect(again.items.at(-1)).toMatchObject({ kind: 'registry', isOk: true });
  });
});

describe('what was measured', () => {
  it('counts attempts by outcome, beside what is promised, in one environment or in all', async () => {
    const parameters = { gate: 'tests' };
    const { items } = await test.admin.call('getGateStats', { parameters, query: { last: '1h' } });
    expect(items).toMatchObject([
      { environment: 'prod', attemptCount: 1, passedCount: 1, timeoutCount: 0, timeoutRate: 0, slaMs: 5_000 },
    ]);
    expect(items[0]?.p50Ms).toBe(items[0]?.maxMs);
    const unknown = await ask(test.server, '/api/v1/gates/test/stats');
    expect(unknown).toMatchObject({ status: 404, body: { code: 'gate.unknown' } });
  });

  it('is told of each service with the newest look at it', async () => {
    const { items } = await test.admin.call('listGateServices', { query: {} });
    const words = items.map(({ gate, stats, probe }) => `${gate} ${stats.attemptCount} ${probe?.isOk}`);
    expect(words).toEqual(['tests 1 true', 'ticket 1 true', 'gone 0 false']);
  });

  it('is told of each gate run with what bounds it, and of what says so', async () => {
    const { items: promotions } = await test.admin.call('listPromotions', { query: {} });
    const promotion = promotions[0]?.id ?? '';
    await test.admin.call('changeSetting', { parameters: { setting: 'gates.tests.timeout' }, body: { value: '5m' } });
    const { items } = await test.admin.call('listGateRuns', { parameters: { promotion } });
    expect(items[0]).toMatchObject({
      gate: 'tests',
      slaMs: 5_000,
      measured: { attemptCount: 1 },
      limits: {
        timeout: { value: '5m', source: 'gates.tests.timeout' },
        retries: { value: '2', source: 'the definition' },
      },
    });
  });

  it('is in the log of a promotion, by time, with what the log covers', async () => {
    const { items: promotions } = await test.admin.call('listPromotions', { query: {} });
    const parameters = { promotion: promotions[0]?.id ?? '' };
    const whole = await test.admin.call('getPromotionLog', { parameters, query: { gate: 'tests' } });
    const times = whole.items.map(({ at }) => at);
    expect(times).toEqual([...times].sort());
    expect(new Set(whole.items.map(({ source }) => source))).toEqual(new Set(['event', 'attempt', 'log']));
    expect(
      whole.items.filter(({ source }) => source === 'attempt').every(({ message }) => message.includes('gate tests')),
    ).toBe(true);
    expect(whole.covers).toHaveLength(2);
  });
});

describe('credentials', () => {
  it('are told by what the other side said to them, and never shown', async () => {
    isRefusing = true;
    const parameters = { environment: 'prod' };
    const { items } = await test.admin.call('verifyCredentials', { parameters, body: {} });
    isRefusing = false;
    const words = items.map(({ kind, name, isAccepted }) => `${kind} ${name} ${isAccepted}`);
    expect(words.slice(0, 3)).toEqual(['target web true', 'gate tests false', 'gate ticket false']);
    const { items: later } = await test.admin.call('verifyCredentials', { parameters, body: {} });
    expect(later.every(({ isAccepted }) => isAccepted === true)).toBe(true);
  });
});

describe('the doctor', () => {
  it('looks at targets and gates itself, keeps nothing of it, and asks for the role where it cannot', async () => {
    const reports = await test.admin.call('listProbes', { query: { environment: 'qa' } });
    const { items } = await test.admin.call('runDoctor', { query: { check: 'check.network.qa' } });
    const statusOf = (id: string): string | undefined => items.find((one) => one.id === id)?.status;
    expect(items.map(({ id }) => id)).toEqual(['check.network.qa.web', 'check.network.qa.gates.gone']);
    expect([statusOf('check.network.qa.web'), statusOf('check.network.qa.gates.gone')]).toEqual(['pass', 'fail']);
    expect(await test.admin.call('listProbes', { query: { environment: 'qa' } })).toEqual(reports);
    const { token } = await enrol(test, 'viola', 'viewer@*');
    const seen = await ask(test.server, '/api/v1/doctor?check=check.network.qa.gates.gone', { token });
    expect(seen.body).toMatchObject({ items: [{ status: 'skip' }] });
  });

  it('finds nobody who may approve, before a promotion waits for them', async () => {
    const read = async (): Promise<string | undefined> =>
      (await test.admin.call('runDoctor', { query: { check: 'check.config' } })).items[0]?.message;
    expect(await read()).not.toContain('signed');
    await applyEnvironments(test, [{ name: 'signed', gates: ['- { name: sign, kind: approval, group: [nadia] }'] }]);
    expect(await read()).toContain('signed/sign: wants 1 of its group, and nobody may decide');
    await enrol(test, 'nadia', 'approver@signed');
    expect(await read()).not.toContain('signed');
  });
});
