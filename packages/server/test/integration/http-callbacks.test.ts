/** Gates that call back, over real sockets: who may, what each other one is told, and what becomes of the promotion. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { canonicalJson } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signatureHeaders } from '../../src/webhooks/webhook-signature.ts';
import {
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

const TIMEOUT_MS = 60_000;
const SECRET = 'the key that the service and Stella share';
const OTHER = 'the key of another gate, as long as that one';

interface Question {
  readonly operationId: string;
  readonly gateRunId: string;
  readonly attempt: number;
  readonly callback: { readonly url: string };
  readonly release: { readonly components: readonly { readonly name: string; readonly digest: string }[] };
}

let test: TestServer;
let service: Server;
const questions: { readonly question: Question; readonly headers: Readonly<Record<string, unknown>> }[] = [];
/** Done before the question is taken. */
let beforeAnswer: (question: Question) => Promise<unknown> = () => Promise.resolve();

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request);
  if (request.method !== 'POST') {
    response.end();
    return;
  }
  const question = JSON.parse(body) as Question;
  questions.push({ question, headers: { ...request.headers, body } });
  await beforeAnswer(question);
  response.writeHead(202).end();
}

beforeAll(async () => {
  test = await startTestServer({ STELLA_SECRET_TESTS: SECRET, STELLA_SECRET_OTHER: OTHER });
  service = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
  await createReleases(test, 9);
  const gate = `name: tests, kind: http, url: "${url}", mode: callback`;
  await applyEnvironments(test, [
    { name: 'prod', gates: [`- { ${gate}, secret: env:STELLA_SECRET_TESTS, timeout: 5m }`] },
    { name: 'brief', gates: [`- { ${gate}, secret: env:STELLA_SECRET_TESTS, timeout: 1s, retries: 0 }`] },
    { name: 'keyless', gates: [`- { ${gate}, secret: env:STELLA_SECRET_NONE, timeout: 1s, retries: 0 }`] },
  ]);
  await test.admin.call('changeSetting', { parameters: { setting: 'debts.interval' }, body: { value: '1s' } });
});
afterAll(async () => {
  service.close();
  await test.remove();
});

const promote = async (release: string, environment: string): Promise<string> =>
  (await test.admin.call('createPromotion', { body: { release, environment } })).id;
const read = (promotion: string) => test.admin.call('getPromotion', { parameters: { promotion } });
const runsOf = async (promotion: string) =>
  (await test.admin.call('listGateRuns', { parameters: { promotion } })).items;

async function questionOf(promotion: string, attempt = 1): Promise<Question> {
  const find = () =>
    questions.find(({ question }) => question.operationId.startsWith(promotion) && question.attempt === attempt);
  await waitFor(async () => find() !== undefined, { timeoutMs: TIMEOUT_MS, why: 'the service is asked' });
  const found = find();
  if (!found) throw new Error('it was asked just now');
  return found.question;
}

interface Sending {
  readonly id?: string;
  readonly key?: string;
  readonly atMs?: number;
  readonly patch?: Readonly<Record<string, unknown>>;
  readonly path?: string;
  /** Sent in place of what was signed. */
  readonly sent?: string;
}

let sentCount = 0;
const callBack = (question: Question, order: Sending = {}) => {
  sentCount += 1;
  const { id = `msg_${sentCount}`, key = SECRET, atMs = Date.now(), patch = {} } = order;
  const body = canonicalJson({ ...question, verdict: 'passed', message: 'all 9 passed', ...patch });
  const headers = signatureHeaders(Buffer.from(key), { id, atMs, body });
  const path = order.path ?? new URL(question.callback.url).pathname;
  return ask(test.server, path, { token: null, body: order.sent ?? body, headers });
};

describe('a gate that calls back', () => {
  it('is asked with a signed question, waited for by nobody, and opened by its verdict', async () => {
    const id = await promote('shop-1', 'prod');
    const question = await questionOf(id);
    const { headers } = questions.find((one) => one.question === question) ?? {};
    const seconds = Number(headers?.['webhook-timestamp']);
    const signed = { id: question.operationId, atMs: seconds * 1_000, body: String(headers?.['body']) };
    expect(headers).toMatchObject(signatureHeaders(Buffer.from(SECRET), signed));
    await waitFor(async () => (await runsOf(id))[0]?.attempts[0]?.acknowledgedAt?.startsWith('20') === true, {
      timeoutMs: TIMEOUT_MS,
      why: 'the question is taken',
    });
    expect(await read(id)).toMatchObject({ status: 'in_progress', step: 'evaluate_gates' });
    const answered = await callBack(question);
    expect(answered).toMatchObject({ status: 200, body: { operationId: question.operationId, verdict: 'passed' } });
    await untilStatus(test.admin, id, 'completed');
    const [run] = await runsOf(id);
    expect(run).toMatchObject({ state: 'passed', message: 'all 9 passed', attempts: [{ outcome: 'passed' }] });
    const { items } = await test.admin.call('tracePromotion', { parameters: { promotion: id } });
    const ended = items.find((event) => event.type === 'attempt.ended' && event.subject === 'tests');
    expect(ended?.actor).toMatchObject({ kind: 'system', name: 'gate tests' });
  });

  it('may call back before it has taken the question, and say no', async () => {
    beforeAnswer = async (question) => {
      beforeAnswer = () => Promise.resolve();
      expect(await callBack(question, { patch: { verdict: 'failed', message: '2 failed' } })).toMatchObject({
        status: 200,
      });
    };
    const id = await promote('shop-2', 'prod');
    await untilStatus(test.admin, id, 'rejected');
    expect((await runsOf(id))[0]).toMatchObject({ state: 'failed', message: '2 failed' });
  });

  it('is refused by its code where anything is not as it was asked, and nothing is written', async () => {
    const id = await promote('shop-3', 'prod');
    const question = await questionOf(id);
    const { version } = await read(id);
    const refused = async (order: Sending, status: number, code: string): Promise<void> => {
      expect(await callBack(question, order)).toMatchObject({ status, body: { code } });
    };
    const plain = await ask(test.server, new URL(question.callback.url).pathname, { token: null, body: question });
    expect(plain).toMatchObject({ status: 401, body: { code: 'callback.unsigned' } });
    await refused({ key: OTHER }, 401, 'callback.signature');
    await refused({ sent: canonicalJson({ ...question, verdict: 'passed' }) }, 401, 'callback.signature');
    await refused({ atMs: Date.now() - 6 * 60_000 }, 401, 'callback.clock');
    await refused({ atMs: Date.now() + 6 * 60_000 }, 401, 'callback.clock');
    await refused({ path: '/api/v1/callbacks/prm_1.gate.tests.1' }, 404, 'callback.unknown');
    await refused({ patch: { gateRunId: 'gtr_1' } }, 422, 'callback.foreign');
    await refused({ patch: { operationId: 'prm_1.gate.tests.1' } }, 422, 'callback.foreign');
    const digest = `sha256:${'0'.repeat(64)}`;
    await refused({ patch: { release: { components: [{ name: 'web', digest }] } } }, 422, 'callback.foreign');
    await refused({ patch: { verdict: 'maybe' } }, 400, 'input.invalid');
    await refused({ patch: { message: 'x'.repeat(300_000) } }, 413, 'input.body_too_large');
    expect((await runsOf(id))[0]).toMatchObject({ state: 'evaluating', attempts: [{ outcome: null }] });
    const first = { id: 'msg_once' };
    expect(await callBack(question, first)).toMatchObject({ status: 200 });
    await refused(first, 409, 'callback.replayed');
    await refused({}, 409, 'callback.void');
    await untilStatus(test.admin, id, 'completed');
    expect((await read(id)).version).toBeGreaterThan(version);
    expect((await runsOf(id))[0]?.attempts).toHaveLength(1);
  });

  it('takes one of many that come at once', async () => {
    const id = await promote('shop-4', 'prod');
    const question = await questionOf(id);
    const verdicts = ['passed', 'failed', 'passed', 'failed', 'passed'];
    const answers = await Promise.all(verdicts.map((verdict) => callBack(question, { patch: { verdict } })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body['code'] === 'callback.void')).toHaveLength(4);
    await untilStatus(test.admin, id, 'completed', 'rejected');
  });
});

describe('a gate that does not call back', () => {
  it('is named by the diagnosis; what it says then counts for nothing, until it is asked again', async () => {
    const id = await promote('shop-5', 'brief');
    const first = await questionOf(id);
    await waitFor(async () => (await runsOf(id))[0]?.state === 'timeout', {
      timeoutMs: TIMEOUT_MS,
      why: 'it is given up',
    });
    const [attempt] = (await runsOf(id))[0]?.attempts ?? [];
    expect(attempt).toMatchObject({ outcome: 'timeout', code: 'gate.no_callback' });
    const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion: id } });
    expect(causes[0]).toMatchObject({ code: 'gate.no_callback', confidence: 'certain' });
    expect(causes[0]?.remedies[0]?.text).toContain('call back');
    expect(await callBack(first)).toMatchObject({ status: 409, body: { code: 'callback.void' } });
    await test.admin.call('changeSetting', { parameters: { setting: 'gates.tests.timeout' }, body: { value: '10m' } });
    const second = await questionOf(id, 2);
    expect(await callBack(first)).toMatchObject({ status: 409, body: { code: 'callback.void' } });
    expect(await callBack(second)).toMatchObject({ status: 200 });
    await untilStatus(test.admin, id, 'completed');
    await test.admin.call('changeSetting', { parameters: { setting: 'gates.tests.timeout' }, body: { value: null } });
    const stats = await test.admin.call('getGateStats', {
      parameters: { gate: 'tests' },
      query: { environment: 'brief' },
    });
    expect(stats.items).toMatchObject([{ timeoutCount: 1, passedCount: 1, openCount: 0 }]);
    const metrics = String((await ask(test.server, '/metrics')).body['text']);
    expect(metrics).toMatch(/stella_gate_evaluations_total\{[^}]*environment="brief"[^}]*outcome="timeout"[^}]*\} 1/);
    expect(metrics).toMatch(/stella_gate_evaluations_total\{[^}]*environment="brief"[^}]*outcome="passed"[^}]*\} 1/);
  });

  it('that was skipped is asked for what runs, and pays by calling back', async () => {
    const olga = await enrol(test, 'olga', 'operator@*');
    const bob = await enrol(test, 'bob', 'approver@*');
    const id = await promote('shop-6', 'prod');
    const first = await questionOf(id);
    const parameters = { promotion: id, gate: 'tests' };
    await olga.client.call('skipGate', { parameters, body: { reason: 'the service is down' } });
    await bob.client.call('approvePromotion', { parameters: { promotion: id }, body: { skip: 'tests' } });
    await untilStatus(test.admin, id, 'completed');
    expect(await callBack(first)).toMatchObject({ status: 409, body: { code: 'callback.void' } });
    const owed = () => questions.findLast(({ question }) => question.operationId.startsWith('dbt_'));
    await waitFor(async () => owed() !== undefined, { timeoutMs: TIMEOUT_MS, why: 'the debt is asked for' });
    const question = owed()?.question;
    if (!question) throw new Error('it was asked just now');
    expect(await callBack(question, { id: 'msg_debt' })).toMatchObject({ status: 200 });
    expect((await callBack(question, { id: 'msg_debt' })).body['code']).toMatch(/^callback\.(replayed|unknown)$/);
    await waitFor(async () => (await read(id)).debts[0]?.state === 'paid', {
      timeoutMs: TIMEOUT_MS,
      why: 'it is paid',
    });
  });
});

describe('the secret of a gate', () => {
  it('is missed by attempts, by probes and by whoever verifies credentials, and told to nobody', async () => {
    const id = await promote('shop-7', 'keyless');
    await waitFor(async () => (await runsOf(id))[0]?.state === 'error', {
      timeoutMs: TIMEOUT_MS,
      why: 'it cannot be asked',
    });
    expect((await runsOf(id))[0]?.attempts).toMatchObject([
      { code: 'gate.secret', message: 'the server has no variable STELLA_SECRET_NONE' },
    ]);
    const operationId = `${id}.gate.tests.1`;
    const path = `/api/v1/callbacks/${operationId}`;
    const question = { operationId, gateRunId: '', attempt: 1, callback: { url: '' }, release: { components: [] } };
    expect(await callBack(question, { path })).toMatchObject({ status: 503, body: { code: 'callback.secret' } });
    const parameters = { environment: 'keyless' };
    const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion: id } });
    expect(causes[0]).toMatchObject({ code: 'gate.misconfigured' });
    const probed = await test.admin.call('probeConnectivity', { body: parameters });
    const auth = probed.items.find((one) => one.kind === 'gate')?.stages.find(({ stage }) => stage === 'auth');
    expect(auth).toMatchObject({ outcome: 'failed', code: 'auth.secret_missing' });
    const missing = await test.admin.call('verifyCredentials', { parameters, body: {} });
    expect(missing.items.find((one) => one.kind === 'gate')).toMatchObject({
      reference: 'env:STELLA_SECRET_NONE',
      isResolved: false,
      isAccepted: false,
    });
    const there = await test.admin.call('verifyCredentials', { parameters: { environment: 'prod' }, body: {} });
    expect(there.items.find((one) => one.kind === 'gate')).toMatchObject({
      reference: 'env:STELLA_SECRET_TESTS',
      isResolved: true,
      isAccepted: null,
    });
    expect(JSON.stringify([probed, missing, there])).not.toContain(SECRET);
    const shown = await test.admin.call('getEnvironment', { parameters: { environment: 'prod' } });
    expect(JSON.stringify(shown)).toContain('secret: env:STELLA_SECRET_TESTS');
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
  });
});

describe('the service of docs/environments.md', () => {
  it('takes questions, and calls back', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../../docs/environments.md'), 'utf8');
    const code = /<!-- example: callback service -->\n```js\n([^]*?)```/.exec(page)?.[1] ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'stella-callback-'));
    await writeFile(join(folder, 'service.mjs'), code);
    const env = { STELLA_SECRET_SCANS: OTHER, PORT: '0' };
    const child = spawn(process.execPath, [join(folder, 'service.mjs')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [said] = (await once(child.stdout, 'data')) as [Buffer];
      const port = /\d+/.exec(String(said))?.[0] ?? '';
      const url = `http://127.0.0.1:${port}/`;
      expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401);
      const gate = `- { name: scan, kind: http, url: "${url}", mode: callback, secret: env:STELLA_SECRET_OTHER }`;
      await applyEnvironments(test, [{ name: 'scanned', gates: [gate] }]);
      const id = await promote('shop-8', 'scanned');
      await untilStatus(test.admin, id, 'completed');
      expect((await runsOf(id))[0]).toMatchObject({ state: 'passed', message: 'nothing found' });
    } finally {
      child.kill();
      await rm(folder, { recursive: true });
    }
  });
});
