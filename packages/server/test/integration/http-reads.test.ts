/** Reads of the API: pages, unknown names with their nearest, malformed input, events with replay, health, description. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

const RELEASES = 5;

let test: TestServer;
let promotion: string;
beforeAll(async () => {
  test = await startTestServer();
  await createReleases(test, RELEASES);
  await applyEnvironments(test, [{ name: 'staging' }, { name: 'production' }]);
  for (let n = 1; n <= RELEASES; n += 1) {
    const { id } = await test.admin.call('createPromotion', {
      body: { release: `shop-${n}`, environment: 'staging' },
    });
    promotion = id;
    await untilStatus(test.admin, id, 'completed');
  }
});
afterAll(() => test.remove());

describe('pages', () => {
  it.each([1, 2, 5, 50])('of %i rows give every row once, newest first', async (limit) => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await test.admin.call('listPromotions', { query: { limit, ...(cursor ? { cursor } : {}) } });
      seen.push(...page.items.map((one) => one.release.name));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(['shop-5', 'shop-4', 'shop-3', 'shop-2', 'shop-1']);
  });

  it('are filtered and counted alike', async () => {
    const query = { status: 'completed', environment: 'staging', last: '1h' };
    expect(await test.admin.call('countPromotions', { query })).toEqual({ count: RELEASES });
    expect((await test.admin.call('listPromotions', { query })).items).toHaveLength(RELEASES);
    expect(await test.admin.call('countPromotions', { query: { environment: 'production' } })).toEqual({ count: 0 });
  });

  it('are counted by who asked for them, by each of the ways in which they are found', async () => {
    const actor: unknown = expect.objectContaining({ kind: 'person', name: 'admin' });
    const counted = { items: [{ actor, count: RELEASES }], isCut: false };
    for (const query of [{}, { environment: 'staging', last: '1h' }, { status: 'completed' }]) {
      expect(await test.admin.call('countPromotionActors', { query })).toEqual(counted);
    }
    const ofRelease = await test.admin.call('countPromotionActors', { query: { release: 'shop-1' } });
    expect(ofRelease).toEqual({ items: [{ actor, count: 1 }], isCut: false });
    const none = { environment: 'production' };
    expect(await test.admin.call('countPromotionActors', { query: none })).toEqual({ items: [], isCut: false });
  });
});

describe('what is unknown or malformed', () => {
  it.each([
    ['/api/v1/environments/prodction', 404, 'environment.not_found'],
    ['/api/v1/releases/shop-11', 404, 'release.not_found'],
    ['/api/v1/promotions/prm_ffff', 404, 'promotion.not_found'],
    ['/api/v1/promotions/prm_0', 409, 'input.id_ambiguous'],
    ['/api/v1/promotions?cursor=what', 400, 'input.cursor'],
    ['/api/v1/promotions?limit=0', 400, 'input.invalid'],
    ['/api/v1/promotions?limt=5', 400, 'input.unknown_key'],
    ['/api/v1/promotions?olderThan=soon', 400, 'input.duration'],
    ['/api/v1/promotions?kind=promote,undo', 400, 'input.invalid'],
    ['/api/v1/promotons', 404, 'route.not_found'],
  ])('%s answers %i %s', async (path, status, code) => {
    const answer = await ask(test.server, path);
    expect(answer.body).toMatchObject({ code, status, requestId: expect.any(String) as string });
    expect(answer.status).toBe(status);
  });

  it('names the nearest', async () => {
    const { body } = await ask(test.server, '/api/v1/environments/prodction');
    expect(JSON.stringify(body)).toContain('production');
  });

  it('is refused as input.json and input.body_too_large, and nothing is lost', async () => {
    const broken = await ask(test.server, '/api/v1/promotions', { body: '{"release":' });
    expect(broken).toMatchObject({ status: 400, body: { code: 'input.json' } });
    const text = await ask(test.server, '/api/v1/promotions', { body: 'x', headers: { 'content-type': 'text/plain' } });
    expect(text.body).toMatchObject({ code: 'input.json' });
    const large = await announceBody(5_000_000);
    expect(large.status).toBe(413);
    expect(large.text).toContain('input.body_too_large');
    const extra = await ask(test.server, '/api/v1/promotions', {
      body: { release: 'a', environment: 'b', priorty: 1 },
    });
    expect(extra.body).toMatchObject({ code: 'input.unknown_key', details: { nearest: 'priority' } });
    expect((await ask(test.server, '/livez')).status).toBe(200);
  });

  it('is refused when its header is too large, before anybody asks who it is', async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest(`${test.server.url}/api/v1/version`, { headers: { 'x-long': 'x'.repeat(20_000) } });
      sent.once('response', (response) => resolve(response.statusCode)).once('error', reject);
      sent.end();
    });
    expect(status).toBe(431);
  });
});

describe('events', () => {
  it('come in the order of the global chain, without a gap, and again from any place', async () => {
    const all = await readStream({ after: 0 }, 10);
    expect(all.map((one) => one.seq)).toEqual(all.map((_, index) => index + 1));
    const again = await readStream({ after: 3 }, 4);
    expect(again).toEqual(all.slice(3, 7));
  });

  it('of one promotion are those of its trace', async () => {
    const { items } = await test.admin.call('tracePromotion', { parameters: { promotion } });
    const streamed = await readStream({ after: 0, promotion }, items.length);
    expect(streamed.map((one) => one.hash)).toEqual(items.map((one) => one.hash));
    expect(items.at(-1)).toMatchObject({ type: 'promotion.status_changed', data: { to: 'completed' } });
  });

  it('go on after Last-Event-ID', async () => {
    const response = await fetch(`${test.server.url}/api/v1/events`, {
      headers: { authorization: `Bearer ${test.server.token}`, 'last-event-id': '2' },
      signal: AbortSignal.timeout(10_000),
    });
    const reader = response.body?.getReader();
    let text = '';
    while (!/^id: /m.test(text)) {
      // The types of the body leave its chunks open; fetch gives bytes.
      const chunk = (await reader?.read()) as { value?: Uint8Array } | undefined;
      text += new TextDecoder().decode(chunk?.value);
    }
    await reader?.cancel();
    expect(/^id: (\d+)/m.exec(text)?.[1]).toBe('3');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
  });
});

async function readStream(query: { after: number; promotion?: string }, count: number) {
  const stop = new AbortController();
  const found = [];
  for await (const { data } of test.admin.stream({ query, signal: stop.signal })) {
    found.push(data);
    if (found.length === count) break;
  }
  stop.abort();
  return found;
}

describe('the server itself', () => {
  it('says that it lives, that it is ready and why, and counts', async () => {
    expect((await ask(test.server, '/livez', { token: null })).body).toEqual({ status: 'ok' });
    const ready = await ask(test.server, '/readyz', { token: null });
    expect(ready.body).toMatchObject({ status: 'ready' });
    const parts = ready.body['parts'] as readonly { part: string; isReady: boolean }[];
    expect(parts.map((one) => one.part)).toEqual(['database', 'worker']);
    const { text } = (await ask(test.server, '/metrics', { token: null })).body;
    expect(text).toMatch(/^stella_promotion_duration_seconds_count\{status="completed"\} 5$/m);
    expect(text).toMatch(/^stella_invariant_violations\{property="S1"\} 0$/m);
    const orchestrator = await test.admin.call('getOrchestrator');
    expect(orchestrator.workers.filter((one) => one.state === 'live')).toHaveLength(1);
  });

  it('finds nothing wrong with itself, and knows which check was meant', async () => {
    const { items } = await test.admin.call('runDoctor', { query: { check: 'check.orchestrator.invariants' } });
    expect(items).toMatchObject([{ status: 'pass', message: '0 rows break a rule', remedy: null }]);
    const unknown = await ask(test.server, '/api/v1/doctor?check=check.orchestrator.invariant');
    expect(unknown).toMatchObject({ status: 404, body: { code: 'check.not_found' } });
  });

  it('describes every route, by its schema', async () => {
    const { body } = await ask(test.server, '/api/v1/openapi.json', { token: null });
    expect(body['openapi']).toBe('3.1.0');
    const paths = Object.keys(body['paths'] as object);
    expect(paths).toContain('/api/v1/promotions/{promotion}/approve');
  });

  it('shows what really runs, and that it was changed behind its back', async () => {
    const parameters = { environment: 'staging' };
    const before = await test.admin.call('listArtifacts', { parameters });
    expect(before.items).toMatchObject([{ release: 'shop-5', isHealthy: true }]);
    expect(before.items[0]?.observed).toBe(before.items[0]?.promised);
    const { items } = await test.admin.call('listArtifacts', {
      parameters,
      query: { filter: 'sha256:0000' },
    });
    expect(items).toEqual([]);
  });
});

/** Says how long the body is going to be, and sends none of it: the answer comes before. */
function announceBody(bytes: number): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${test.server.url}/api/v1/promotions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${test.server.token}`,
        'content-type': 'application/json',
        'content-length': bytes,
      },
    });
    sent.once('error', reject).once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        sent.destroy();
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    sent.flushHeaders();
  });
}
