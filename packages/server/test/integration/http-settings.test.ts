/** Settings that are changed while the server runs: typed, ranged, versioned, and read by everything at once. */
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  startGateServer,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer({ STELLA_QUEUE_MAX_WAIT: '2h' });
});
afterAll(() => test.remove());

const path = (key: string): string => `/api/v1/settings/${key}`;
const set = (key: string, value: string | null, headers: Readonly<Record<string, string>> = {}) =>
  ask(test.server, path(key), { body: { value, reason: 'as the test says' }, headers });

describe('a setting', () => {
  it('says its value and where it comes from', async () => {
    const { items } = await test.admin.call('listSettings');
    const sources = new Map(items.map(({ key, value, source }) => [key, [value, source]]));
    expect(sources.get('locks.timeout')).toEqual(['30s', 'default']);
    expect(sources.get('queue.maxWait')).toEqual(['2h', 'start']);
    expect(items.every(({ version, changedBy }) => version === 0 && changedBy === null)).toBe(true);
  });

  it('is set, set again and unset; every change is kept with who made it', async () => {
    expect(await set('locks.timeout', '45s')).toMatchObject({
      status: 200,
      body: { value: '45s', source: 'set', version: 1, changedBy: { name: 'admin' }, default: '30s' },
    });
    expect(await set('locks.timeout', '45000ms')).toMatchObject({ body: { value: '45s', version: 1 } });
    expect(await set('locks.timeout', '1m')).toMatchObject({ body: { value: '1m', version: 2 } });
    expect(await set('locks.timeout', null)).toMatchObject({ body: { value: '30s', source: 'default', version: 3 } });
    const page = await ask(test.server, `${path('locks.timeout')}/changes?limit=2`);
    expect(page.body).toMatchObject({
      items: [
        { version: 3, value: null, reason: 'as the test says' },
        { version: 2, value: '1m' },
      ],
    });
    const rest = await ask(test.server, `${path('locks.timeout')}/changes?cursor=${String(page.body['next'])}`);
    expect(rest.body).toMatchObject({ items: [{ version: 1, value: '45s' }], next: null });
  });

  it('changes nothing in a dry run, and only as it was seen', async () => {
    const dry = await ask(test.server, path('probe.timeout'), { body: { value: '5s', dryRun: true } });
    expect(dry.body).toMatchObject({ value: '5s', source: 'set', version: 1 });
    const seen = await ask(test.server, path('probe.timeout'));
    expect(seen.body).toMatchObject({ value: '10s', version: 0 });
    const etag = seen.headers.get('etag') ?? '';
    expect(await set('probe.timeout', '5s', { 'if-match': etag })).toMatchObject({ status: 200 });
    const late = await set('probe.timeout', '6s', { 'if-match': etag });
    expect(late).toMatchObject({ status: 409, body: { code: 'etag.mismatch' } });
  });

  it('is refused when it is unknown, out of its range, or the role is not on all environments', async () => {
    expect(await ask(test.server, path('locks.timeot'))).toMatchObject({
      status: 404,
      body: { code: 'setting.not_found', next: [{ title: 'did you mean "locks.timeout"?' }] },
    });
    expect(await set('locks.timeout', '2h')).toMatchObject({ status: 400, body: { code: 'setting.invalid' } });
    expect(await set('locks.timeout', 'soon')).toMatchObject({ status: 400, body: { code: 'setting.invalid' } });
    const one = await enrol(test, 'oda', 'operator@dev');
    const body = { value: '45s' };
    const refused = await ask(test.server, path('locks.timeout'), { token: one.token, body });
    expect(refused).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const all = await enrol(test, 'olga', 'operator@*');
    expect(await ask(test.server, path('locks.timeout'), { token: all.token, body })).toMatchObject({ status: 200 });
  });

  it('may be one of several words, kept and shown as such', async () => {
    const seen = await ask(test.server, path('locks.mode'));
    const words = ['pessimistic', 'optimistic'];
    expect(seen.body).toMatchObject({ value: 'pessimistic', default: 'pessimistic', unit: 'word', words, min: null });
    expect(await set('locks.mode', 'optimistic')).toMatchObject({ body: { value: 'optimistic', source: 'set' } });
    expect(await set('locks.mode', 'optimstic')).toMatchObject({
      status: 400,
      body: {
        code: 'setting.invalid',
        next: [{ title: 'did you mean "optimistic"?' }],
      },
    });
    expect(await set('locks.mode', null)).toMatchObject({ body: { value: 'pessimistic', source: 'default' } });
    const page = await ask(test.server, `${path('locks.mode')}/changes`);
    expect(page.body).toMatchObject({ items: [{ value: null }, { value: 'optimistic' }] });
  });

  it('counts at once, also for promotions that run', async () => {
    await createReleases(test, 1);
    const gate = '- { name: tests, kind: http, url: "http://127.0.0.1:1/", timeout: 1s, retries: 0 }';
    await applyEnvironments(test, [{ name: 'gone', gates: [gate] }]);
    const { id } = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'gone' } });
    const read = () => test.admin.call('getPromotion', { parameters: { promotion: id } });
    await waitFor(async () => (await read()).gates.some(({ heldUntil }) => heldUntil !== null), {
      timeoutMs: 20_000,
      why: 'its gate is held',
    });
    expect((await read()).isStalled).toBe(false);
    await set('stuck.after', '1s');
    await waitFor(async () => (await read()).isStalled, { timeoutMs: 5_000, why: 'it counts as stalled' });
    expect(await test.admin.call('getOrchestrator')).toMatchObject({ stalledCount: 1 });
    await set('stuck.after', null);
    expect((await read()).isStalled).toBe(false);
  });

  it('of a gate gives new attempts to promotions that are held there, as the runbook has it', async () => {
    const service = await startGateServer();
    const slow = `- { name: slow, kind: http, url: "${service.url}", timeout: 200ms, retries: 0 }`;
    await applyEnvironments(test, [{ name: 'prod', gates: [slow] }]);
    service.answerAfter(600);
    const { id } = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'prod' } });
    const read = () => test.admin.call('getPromotion', { parameters: { promotion: id } });
    await waitFor(async () => (await read()).gates.some(({ heldUntil }) => heldUntil !== null), {
      timeoutMs: 20_000,
      why: 'its gate is held',
    });
    expect((await read()).gates[0]).toMatchObject({ state: 'timeout', attemptCount: 1, attemptLimit: 1 });
    expect(await set('gates.slow.timeout', '5s')).toMatchObject({
      body: { value: '5s', source: 'set', default: null, max: '1h' },
    });
    expect(await untilStatus(test.admin, id, 'completed', 'failed')).toBe('completed');
    expect((await read()).gates[0]).toMatchObject({ state: 'passed', attemptCount: 2 });
    const { items } = await test.admin.call('listSettings');
    expect(items.find(({ key }) => key === 'gates.slow.timeout')).toMatchObject({ value: '5s' });
    expect(await set('gates.slow.timeout', null)).toMatchObject({ body: { value: null, source: 'definition' } });
    service.close();
  });

  it('of a gate is refused where no environment has it, and allowed to who operates that environment', async () => {
    expect(await set('gates.slw.timeout', '5s')).toMatchObject({
      status: 404,
      body: { code: 'setting.not_found', next: [{ title: 'did you mean "gates.slow.timeout"?' }] },
    });
    expect(await set('environments.prd.gates.slow.timeout', '5s')).toMatchObject({
      body: { code: 'environment.not_found' },
    });
    const { token } = await enrol(test, 'otto', 'operator@prod');
    const body = { value: '3s' };
    expect(await ask(test.server, path('gates.slow.timeout'), { token, body })).toMatchObject({ status: 403 });
    const own = await ask(test.server, path('environments.prod.gates.slow.timeout'), { token, body });
    expect(own).toMatchObject({ status: 200, body: { value: '3s' } });
  });

  it('that breaks a time budget is taken, with the sum before and after', async () => {
    const gate = '- { name: ticket, kind: http, url: "http://127.0.0.1:1/", timeout: 2m, retries: 2, backoff: 10s }';
    await applyEnvironments(test, [{ name: 'timed', gates: [gate] }]);
    const before = 'precheck 5s + ticket (3 × 2m + 30s of pauses) + deploy 15m = 21m35s';
    const after = 'precheck 5s + ticket (3 × 5m + 30s of pauses) + deploy 15m = 30m35s';
    const warnings = [
      'ticket: 3 × 5m + 30s of pauses = 15m30s, over stuck.after 10m',
      'in all 30m35s, over the objective of 30m',
    ];
    const own = async (key: string): Promise<unknown> => {
      const { body } = await ask(test.server, key);
      // The answer's schema has it.
      return (body['timeBudgets'] as { environment: string }[]).find(({ environment }) => environment === 'timed');
    };
    expect(await set('probe.timeout', '5s')).toMatchObject({ status: 200 });
    expect(await own('/api/v1/settings')).toMatchObject({ arithmetic: before, warnings: [] });
    const changed = await set('gates.ticket.timeout', '5m');
    expect(changed).toMatchObject({
      status: 200,
      body: { timeBudgets: [{ environment: 'timed', arithmetic: after, warnings, before: { arithmetic: before } }] },
    });
    expect(await own(path('gates.ticket.timeout'))).toMatchObject({ arithmetic: after, warnings });
    expect(await set('gates.ticket.timeout', '5m')).toMatchObject({ body: { timeBudgets: [] } });
    expect(await own(path('locks.timeout'))).toBeUndefined();
  });

  it('that beats a definition is named when that is applied', async () => {
    const gate = '- { name: ticket, kind: http, url: "http://127.0.0.1:1/", timeout: 1m, retries: 2, backoff: 10s }';
    const target = `- { name: web, kind: files, component: web, directory: "${join(test.place.targets, 'timed')}" }`;
    const text = `kind: Environment\nname: timed\ngates:\n  ${gate}\ntargets:\n  ${target}\n`;
    const body = { documents: [{ file: 'timed.yaml', text }], dryRun: true };
    const { changes } = await test.admin.call('applyDefinitions', { body });
    expect(changes).toMatchObject([
      { environment: 'timed', overrides: ['the setting gates.ticket.timeout = 5m beats the 1m of this definition'] },
    ]);
  });
});
