/**
 * Gate services that do what they should not, each asked by the real engine of a real server: what the attempt comes to
 * and when, what people see, that little memory is used, and that no verdict comes of it. All are asked at once, so
 * that the well-behaved ones among them also show that the others keep nobody waiting (safety L6).
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { waitFor } from '@stella/testkit';
import { type FullBacklog, type HostileServer, startFullBacklog, startHostileServer } from '@stella/testkit/hostile';
import { answer, hang, inTurn, raw } from '@stella/testkit/hostile/behaviours';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { applyEnvironments, createReleases, startTestServer, type TestServer, untilStatus } from '../http-fixture.ts';
import { makeCertificates } from './certificates.ts';
import {
  FAILED,
  GATE_TIMEOUT_MS,
  type GateRow,
  HOSTILE_ANSWERS,
  ODD_BUT_RIGHT,
  PASSED,
  redirectRows,
} from './gate-answers.ts';

/** The only address that may be asked; all others of this machine are forbidden. */
const ALLOWED = '127.0.0.3';
/** A busy machine may be so late with noticing and recording. */
const GRACE_MS = 30_000;
/** Between the clocks of the database and of the server's timers. */
const ROUNDING_MS = 50;
const SETTLE_TIMEOUT_MS = 120_000;
const SETUP_TIMEOUT_MS = 900_000;
/** What one connection may take from its peer: the buffers of the system, and what is read before it is refused. */
const SENT_BYTES_MAX = 24 * 1_048_576;
/** Growth of the server while all gates of the table are asked at once. */
const MEMORY_BYTES_MAX = 256 * 1_048_576;

type Run = Answer<'listGateRuns'>['items'][number];
type Expected = Omit<GateRow, 'behaves'>;
interface Asked {
  readonly promotion: string;
  /** Start of the path at the hostile server; null: it is another peer. */
  readonly start: string | null;
}

vi.setConfig({ testTimeout: SETTLE_TIMEOUT_MS + 60_000 });

let test: TestServer;
let hostile: HostileServer;
let forbidden: HostileServer;
let backlog: FullBacklog;
let folder: string;
let memoryBeforeBytes: number;
const peers: HostileServer[] = [];
/** By what the row is. */
const asked = new Map<string, Asked>();

const twice = (first: string, second: string): string =>
  [first, second].map((text) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`).join('');
const VERDICTS: readonly GateRow[] = [
  ...ODD_BUT_RIGHT,
  { what: 'a no', behaves: answer(FAILED), code: 'gate.failed', says: /^not well$/ },
  { what: 'a yes, then a no', behaves: raw(twice(PASSED, FAILED)), code: '', says: /^all well$/ },
  { what: 'a no, then a yes', behaves: raw(twice(FAILED, PASSED)), code: 'gate.failed', says: /^not well$/ },
];
const TLS: Readonly<Record<string, Omit<Expected, 'what'>>> = {
  good: { code: '', says: /^all well$/ },
  expired: { code: 'gate.tls', says: /^tls: certificate has expired$/ },
  future: { code: 'gate.tls', says: /^tls: certificate is not yet valid$/ },
  foreign: { code: 'gate.tls', says: /^tls: .*does not match certificate/ },
  selfSigned: { code: 'gate.tls', says: /^tls: self.signed certificate$/ },
};
const NO_PEER: Readonly<Record<string, Omit<Expected, 'what'>>> = {
  'TLS with one who speaks without': { code: 'gate.tls', says: /^tls: / },
  'a handshake that hangs': { code: 'gate.timeout', says: /^no answer within 5000 ms$/ },
  'nobody who listens': { code: 'gate.unreachable', says: /^refused: / },
  'a full backlog': { code: 'gate.timeout', says: /^no answer within 5000 ms$/ },
  'a name that nobody has': { code: 'gate.dns', says: /^dns: / },
};
/** Gates that lead to what may not be asked; `PORT` is one that would answer. */
const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  'http://169.254.169.254/latest/meta-data/': /169\.254\.169\.254/,
  'http://127.0.0.1:PORT/': /127\.0\.0\.1/,
  'http://[::1]:PORT/': /::1/,
  'http://[::]:PORT/': /::/,
  'http://0.0.0.0:PORT/': /0\.0\.0\.0/,
  'http://0:PORT/': /0\.0\.0\.0/,
  'http://[::ffff:127.0.0.1]:PORT/': /::ffff:7f00:1/,
  'http://[::ffff:169.254.169.254]/': /::ffff:a9fe:a9fe/,
  'http://[64:ff9b::7f00:1]:PORT/': /64:ff9b::7f00:1/,
  'http://2130706433:PORT/': /127\.0\.0\.1/,
  'http://0x7f000001:PORT/': /127\.0\.0\.1/,
  'http://0177.1:PORT/': /127\.0\.0\.1/,
  'http://127.1:PORT/': /127\.0\.0\.1/,
  // A name is looked up, and what it leads to is looked at.
  'http://localhost:PORT/': /127\.0\.0\.1|::1/,
  'https://localhost:PORT/': /127\.0\.0\.1|::1/,
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stella-hostile-'));
  const trusted = join(folder, 'trusted.pem');
  const certificates = await makeCertificates(ALLOWED, trusted);
  test = await startTestServer({ STELLA_OUTGOING_ALLOW: `${ALLOWED}/32`, NODE_EXTRA_CA_CERTS: trusted });
  hostile = await startHostileServer({ host: ALLOWED });
  forbidden = await startHostileServer();
  forbidden.answerAt('/', answer(PASSED));
  backlog = await startFullBacklog(ALLOWED);
  const plain = await startHostileServer({ host: ALLOWED, greeting: 'HTTP/1.1 400 Bad Request\r\n\r\n' });
  peers.push(hostile, forbidden, plain);
  const urls = new Map<string, string>();
  for (const name of Object.keys(TLS)) {
    const peer = await startHostileServer({ host: ALLOWED, tls: certificates[name as keyof typeof certificates] });
    peers.push(peer);
    urls.set(name, peer.answerAt('/', answer(PASSED)));
  }
  urls.set('TLS with one who speaks without', plain.origin.replace('http:', 'https:'));
  // It waits for an HTTP request, and answers nothing to a handshake.
  urls.set('a handshake that hangs', hostile.origin.replace('http:', 'https:'));
  urls.set('nobody who listens', `http://${ALLOWED}:1/`);
  urls.set('a full backlog', backlog.origin);
  urls.set('a name that nobody has', 'http://gate.invalid/');
  const { port } = new URL(forbidden.origin);
  for (const url of Object.keys(FORBIDDEN)) urls.set(url, url.replace('PORT', port));
  await askAll(urls, [...VERDICTS, ...HOSTILE_ANSWERS, ...redirectRows(port)]);
}, SETUP_TIMEOUT_MS);
afterAll(async () => {
  for (const peer of peers) await peer.close();
  await backlog.close();
  await test.remove();
  await rm(folder, { recursive: true });
});

/** One environment and promotion for each; all gates are asked at about the same time. */
async function askAll(urls: ReadonlyMap<string, string>, rows: readonly GateRow[]): Promise<void> {
  const all = new Map<string, { readonly url: string; readonly start: string | null }>();
  for (const [what, url] of urls) all.set(what, { url, start: null });
  for (const [index, row] of rows.entries()) {
    const start = `/row-${index}/`;
    all.set(row.what, { url: hostile.answerAt(start, row.behaves), start });
  }
  await createReleases(test, 1);
  const places = [...all].map(([what, { url, start }], index) => ({ name: `place-${index}`, what, url, start }));
  await applyEnvironments(
    test,
    places.map(({ name, url }) => ({ name, gates: [gateOf(url)] })),
  );
  memoryBeforeBytes = await peakMemory();
  for (const { name, what, start } of places) {
    const { id } = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: name } });
    asked.set(what, { promotion: id, start });
  }
}

function gateOf(url: string, more = 'retries: 0'): string {
  return `- { name: tests, kind: http, url: "${url}", timeout: ${GATE_TIMEOUT_MS}ms, ${more} }`;
}

/** The most that the server's process ever used (proc(5), `VmHWM`). */
async function peakMemory(): Promise<number> {
  const status = await readFile(`/proc/${test.server.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

async function runOf(promotion: string): Promise<Run | undefined> {
  const { items } = await test.admin.call('listGateRuns', { parameters: { promotion } });
  return items.find((run) => run.gate === 'tests');
}

async function untilRun(promotion: string, why: string, isThere: (run: Run) => boolean): Promise<Run> {
  let run: Run | undefined;
  await waitFor(
    async () => {
      run = await runOf(promotion);
      return run !== undefined && isThere(run);
    },
    { timeoutMs: SETTLE_TIMEOUT_MS, why },
  );
  if (!run) throw new Error(why);
  return run;
}

function isAsked({ attempts }: Run): boolean {
  return attempts.some((attempt) => attempt.endedAt !== null);
}

/** The row's only attempt has come to what it must, in time, and people are told. */
async function expectAttempt({ what, code, says }: Expected): Promise<Run> {
  const promotion = asked.get(what)?.promotion ?? '';
  const run = await untilRun(promotion, `${what} is over`, isAsked);
  expect(run.attempts).toMatchObject([{ code, message: expect.stringMatching(says) as string }]);
  const [attempt] = run.attempts;
  const tookMs = Date.parse(attempt?.endedAt ?? '') - Date.parse(attempt?.startedAt ?? '');
  expect(tookMs).toBeLessThan(GATE_TIMEOUT_MS + GRACE_MS);
  expect(tookMs).toBeGreaterThanOrEqual(code === 'gate.timeout' ? GATE_TIMEOUT_MS - ROUNDING_MS : 0);
  return run;
}

/** No verdict came of it, and the promotion waits for people. */
async function expectHeld(row: Expected): Promise<void> {
  const state = row.code === 'gate.timeout' ? 'timeout' : 'error';
  const run = await expectAttempt(row);
  expect(run).toMatchObject({ state, verdict: null, heldUntil: expect.any(String) as string });
  expect(run.message).toMatch(row.says);
  const promotion = asked.get(row.what)?.promotion ?? '';
  const seen = await test.admin.call('getPromotion', { parameters: { promotion } });
  expect(seen).toMatchObject({ status: 'in_progress', step: 'evaluate_gates' });
  expect(seen.possible.length).toBeGreaterThan(0);
}

function startOf(what: string): string {
  return asked.get(what)?.start ?? '';
}

describe('a gate that answers', () => {
  it.each(VERDICTS)('$what gives that verdict', async (row) => {
    const { verdict } = await expectAttempt(row);
    expect(verdict).toBe(row.code === '' ? 'passed' : 'failed');
    const promotion = asked.get(row.what)?.promotion ?? '';
    await untilStatus(test.admin, promotion, verdict === 'passed' ? 'completed' : 'rejected');
    expect(hostile.requestsAt(startOf(row.what))).toHaveLength(1);
  });
});

describe('no verdict comes of a gate that answers', () => {
  it.each(HOSTILE_ANSWERS)('$what: $code', async (row) => {
    await expectHeld(row);
    expect(hostile.requestsAt(startOf(row.what))).toHaveLength(1);
    expect(hostile.sentBytesAt(startOf(row.what))).toBeLessThan(SENT_BYTES_MAX);
  });

  it.each(redirectRows('PORT'))('$what', async (row) => {
    await expectHeld(row);
    expect(hostile.requestsAt(startOf(row.what))).toHaveLength(1);
  });
});

describe('a gate is not asked', () => {
  it.each(Object.entries(TLS).map(([what, row]) => ({ what, ...row })))('over TLS: $what', async (row) => {
    if (row.code !== '') return expectHeld(row);
    expect(await expectAttempt(row)).toMatchObject({ verdict: 'passed' });
    return undefined;
  });

  it.each(Object.entries(NO_PEER).map(([what, row]) => ({ what, ...row })))('when there is $what', async (row) => {
    await expectHeld(row);
    expect(forbidden.connectionCount()).toBe(0);
  });

  it.each(Object.entries(FORBIDDEN))('at %s', async (what, says) => {
    await expectHeld({ what, code: 'gate.address_forbidden', says });
    expect(forbidden.connectionCount()).toBe(0);
  });
});

describe('a service that changes its mind', () => {
  it('is not asked again once it has said yes, neither by a retry nor by another attempt', async () => {
    const flip = hostile.answerAt('/flip/', inTurn(answer('', { status: 500 }), answer(PASSED), answer(FAILED)));
    const broken = hostile.answerAt('/broken/', answer('', { status: 500 }));
    const other = gateOf(broken).replace('name: tests', 'name: other');
    await applyEnvironments(test, [{ name: 'flip', gates: [gateOf(flip, 'retries: 2, backoff: 0s'), other] }]);
    const { id } = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'flip' } });
    const passed = await untilRun(id, 'it has said yes', (run) => run.verdict !== null);
    expect(passed.attempts).toMatchObject([{ outcome: 'error' }, { outcome: 'passed' }]);
    await waitFor(async () => hostile.requestsAt('/broken/').length === 1, {
      timeoutMs: SETTLE_TIMEOUT_MS,
      why: 'the other gate was asked',
    });
    hostile.answerAt('/broken/', answer(PASSED));
    await waitFor(async () => (await heldRuns(id)).includes('other'), { timeoutMs: SETTLE_TIMEOUT_MS, why: 'held' });
    await test.admin.call('retryPromotion', { parameters: { promotion: id }, body: {} });
    await untilStatus(test.admin, id, 'completed');
    expect(hostile.requestsAt('/flip/')).toHaveLength(2);
  });

  it('is asked about a promotion of its own, whatever is left of an earlier answer', async () => {
    const url = hostile.answerAt('/left/', inTurn(raw(twice(PASSED, PASSED)), hang));
    await applyEnvironments(test, [
      { name: 'left', gates: [gateOf(url)] },
      { name: 'right', gates: [gateOf(url)] },
    ]);
    const first = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'left' } });
    await untilStatus(test.admin, first.id, 'completed');
    const second = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'right' } });
    const run = await untilRun(second.id, 'its only attempt is over', isAsked);
    expect(run).toMatchObject({ verdict: null, attempts: [{ code: 'gate.timeout' }] });
    expect(hostile.requestsAt('/left/').map(({ headers }) => headers['connection'])).toEqual(['close', 'close']);
  });
});

describe('all of them together', () => {
  it('cost little memory', async () => {
    expect((await peakMemory()) - memoryBeforeBytes).toBeLessThan(MEMORY_BYTES_MAX);
  });
});

async function heldRuns(promotion: string): Promise<readonly string[]> {
  const { items } = await test.admin.call('listGateRuns', { parameters: { promotion } });
  return items.filter((run) => run.heldUntil !== null).map((run) => run.gate);
}
