/**
 * People who do things twice, at once, or without the right that they had a moment before: over real HTTP, many requests
 * really at the same time. Each race is run several times, because who is first is left to chance: whatever the answers
 * are, they must agree with what happened.
 */
import { join } from 'node:path';
import { ERROR_CODES, type ErrorCode, EXIT_CODE_BY_KIND, HTTP_STATUS_BY_KIND } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Answered,
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../http-fixture.ts';

type Person = Awaited<ReturnType<typeof enrol>>;

/** Requests of one impatient person at the same moment. */
const CLICKS = 8;
/** Each race begins anew with another promotion; the releases are numbered so. */
const RACES = [1, 2, 3, 4, 5, 6] as const;
const TIMEOUT_MS = 120_000;

vi.setConfig({ testTimeout: TIMEOUT_MS });

let test: TestServer;
let bob: Person;
let carol: Person;
let dave: Person;
beforeAll(async () => {
  test = await startTestServer();
  await createReleases(test, RACES.length + 1);
  const sign = (count: number): string => `- { name: sign, kind: approval, count: ${count} }`;
  const names = ['clicks', 'keys', 'asks', 'yes-no', 'yes-stop', 'no-no', 'stops', 'token', 'own', 'texts'];
  await applyEnvironments(test, [
    ...names.map((name) => ({ name, gates: [sign(1)] })),
    { name: 'rights', gates: [sign(2)] },
  ]);
  bob = await enrol(test, 'bob', 'approver@*');
  carol = await enrol(test, 'carol', 'approver@*', 'operator@*');
  dave = await enrol(test, 'dave', 'approver@*');
}, TIMEOUT_MS);
afterAll(() => test.remove());

const key = (text: string): Readonly<Record<string, string>> => ({ 'idempotency-key': text });

function post(
  path: string,
  body: unknown,
  { token }: Pick<Person, 'token'> = test.server,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  return ask(test.server, `/api/v1/${path}`, { body, token, headers });
}

async function waiting(release: number, environment: string): Promise<string> {
  const { id } = await test.admin.call('createPromotion', { body: { release: `shop-${release}`, environment } });
  await untilStatus(test.admin, id, 'pending_approval');
  return id;
}

/** All at the same moment. */
function click(count: number, once: (index: number) => Promise<Answered>): Promise<Answered[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => once(index)));
}

/** What of the answers was refused: each by that code, with its status, for the exit code of the command line. */
function refusedBy(answers: readonly Answered[], code: ErrorCode, exitCode: number): readonly Answered[] {
  const { kind } = ERROR_CODES[code];
  expect(EXIT_CODE_BY_KIND[kind]).toBe(exitCode);
  const refused = answers.filter(({ status }) => status >= 400);
  for (const { status, body } of refused) {
    expect({ status, code: body['code'] }).toEqual({ status: HTTP_STATUS_BY_KIND[kind], code });
    expect(body['next']).toEqual(expect.any(Array));
  }
  return refused;
}

async function eventsOf(promotion: string, type: string): Promise<number> {
  const { items } = await test.admin.call('tracePromotion', { parameters: { promotion } });
  return items.filter((event) => event.type === type).length;
}

/** A command makes its promotion due; it sleeps again when a worker has looked at it. */
async function isAsleep(promotion: string): Promise<boolean> {
  const client = await connect();
  try {
    const text = 'select 1 from stella.promotions where id = $1 and worker_id is null and next_action_at > now()';
    return (await client.query(text, [promotion])).rowCount === 1;
  } finally {
    await client.end();
  }
}

async function runs(environment: string): Promise<string | null> {
  const { release } = await test.admin.call('getEnvironment', { parameters: { environment } });
  return release?.name ?? null;
}

describe('a double click', () => {
  it('with one key makes one promotion and gives one answer, at once and later', async () => {
    const body = { release: 'shop-1', environment: 'keys' };
    const answers = await click(CLICKS, () => post('promotions', body, test.server, key('once')));
    const later = await post('promotions', body, test.server, key('once'));
    refusedBy(answers, 'idempotency.in_flight', 6);
    const made = [...answers, later].filter(({ status }) => status === 201);
    expect(new Set(made.map((one) => JSON.stringify(one.body))).size).toBe(1);
    expect(later.status).toBe(201);
    const { items } = await test.admin.call('listPromotions', { query: { environment: 'keys' } });
    expect(items).toHaveLength(1);
  });

  it('without a key makes one promotion, and tells the others so', async () => {
    const answers = await click(CLICKS, () => post('promotions', { release: 'shop-1', environment: 'clicks' }));
    expect(refusedBy(answers, 'promotion.live_exists', 6)).toHaveLength(CLICKS - 1);
    const { items } = await test.admin.call('listPromotions', { query: { environment: 'clicks' } });
    expect(items).toHaveLength(1);
  });

  it('with one key by two persons is two requests', async () => {
    const [one, other] = [await waiting(1, 'asks'), key('shared')];
    const answers = await click(2, (index) => post(`promotions/${one}/reject`, {}, index === 0 ? bob : carol, other));
    expect(refusedBy(answers, 'promotion.illegal_transition', 6).length).toBeLessThan(2);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(
      await eventsOf(one, 'promotion.rejected_by_person'),
    );
    await untilStatus(test.admin, one, 'rejected');
  });

  it.each([true, false])('on approve counts once (with a key: %s)', async (isKeyed) => {
    const id = await waiting(isKeyed ? 2 : 3, 'asks');
    const answers = await click(CLICKS, () => post(`promotions/${id}/approve`, {}, bob, isKeyed ? key(id) : {}));
    await untilStatus(test.admin, id, 'completed');
    expect(await eventsOf(id, 'promotion.approved')).toBe(1);
    const given = answers.filter(({ status }) => status === 200);
    expect(given.length).toBeGreaterThanOrEqual(1);
    // With a key all that are answered are answered alike; without one, only one is.
    expect(new Set(given.map((one) => JSON.stringify(one.body))).size).toBe(1);
    const codes = new Set(answers.map(({ body }) => body['code']).filter((code) => code !== undefined));
    // Of who came before, or after, the worker had looked.
    const known = isKeyed ? ['idempotency.in_flight'] : ['approval.repeated', 'promotion.illegal_transition'];
    expect(known).toEqual(expect.arrayContaining([...codes]));
    expect(isKeyed || given.length === 1).toBe(true);
  });

  it('on cancel ends it once', async () => {
    const id = await waiting(1, 'stops');
    const answers = await click(CLICKS, () => post(`promotions/${id}/cancel`, {}));
    refusedBy(answers, 'promotion.illegal_transition', 6);
    await untilStatus(test.admin, id, 'cancelled');
    expect(await eventsOf(id, 'promotion.cancel_requested')).toBe(1);
  });
});

describe('who is first is left to chance, when', () => {
  it.each(RACES)('one approves and another rejects (race %i)', async (n) => {
    const id = await waiting(n, 'yes-no');
    const [yes, no] = await click(2, (index) =>
      index === 0 ? post(`promotions/${id}/approve`, {}, bob) : post(`promotions/${id}/reject`, {}, carol),
    );
    refusedBy(
      [yes, no].flatMap((one) => one ?? []),
      'promotion.illegal_transition',
      6,
    );
    const status = await untilStatus(test.admin, id, 'completed', 'rejected');
    // A no that was taken counts, also beside a yes.
    expect(status).toBe(no?.status === 200 ? 'rejected' : 'completed');
    expect([yes?.status, no?.status]).toContain(200);
    expect((await runs('yes-no')) === `shop-${n}`).toBe(status === 'completed');
  });

  it.each(RACES)('one approves and another cancels (race %i)', async (n) => {
    const id = await waiting(n, 'yes-stop');
    const [yes, stop] = await click(2, (index) =>
      index === 0 ? post(`promotions/${id}/approve`, {}, bob) : post(`promotions/${id}/cancel`, {}, carol),
    );
    refusedBy(
      [yes, stop].flatMap((one) => one ?? []),
      'promotion.illegal_transition',
      6,
    );
    expect(stop?.status).toBe(200);
    await untilStatus(test.admin, id, 'cancelled');
    expect(await runs('yes-stop')).toBeNull();
    const { items } = await test.admin.call('listLocks', { query: { environment: 'yes-stop' } });
    expect(items).toEqual([]);
  });

  it.each(RACES)('two reject (race %i)', async (n) => {
    const id = await waiting(n, 'no-no');
    const answers = await click(2, (index) => post(`promotions/${id}/reject`, {}, index === 0 ? bob : carol));
    refusedBy(answers, 'promotion.illegal_transition', 6);
    await untilStatus(test.admin, id, 'rejected');
    const taken = answers.filter(({ status }) => status === 200).length;
    expect(taken).toBeGreaterThanOrEqual(1);
    expect(await eventsOf(id, 'promotion.rejected_by_person')).toBe(taken);
  });
});

describe('a right', () => {
  it('that was lost between the approval and the deploy no longer counts', async () => {
    const id = await waiting(1, 'rights');
    expect(await post(`promotions/${id}/approve`, {}, bob)).toMatchObject({ status: 200 });
    await takeRights('bob');
    expect(await post(`promotions/${id}/approve`, {}, carol)).toMatchObject({ status: 200 });
    // Two have approved, and one of them no longer may: looked at, and one is still wanted.
    await waitFor(() => isAsleep(id), { timeoutMs: TIMEOUT_MS, why: 'a worker has looked since' });
    expect(await test.admin.call('getPromotion', { parameters: { promotion: id } })).toMatchObject({
      status: 'pending_approval',
      gates: [{ approvals: [{ subject: 'bob' }, { subject: 'carol' }] }],
    });
    expect(refusedBy([await post(`promotions/${id}/approve`, {}, bob)], 'auth.forbidden', 3)).toHaveLength(1);
    expect(await post(`promotions/${id}/approve`, {}, dave)).toMatchObject({ status: 200 });
    await untilStatus(test.admin, id, 'completed');
  });

  it.each(RACES)('ends with its token, in the middle of requests (race %i)', async (n) => {
    const id = await waiting(n, 'token');
    const minted = await dave.client.call('mintToken', { body: { name: `race-${n}` } });
    const [revoked, ...answers] = await click(CLICKS, (index) =>
      index === 0 ? post(`tokens/${minted.id}/revoke`, {}, dave) : post(`promotions/${id}/approve`, {}, minted),
    );
    expect(revoked?.status).toBe(200);
    const taken = answers.filter(({ status }) => status === 200).length;
    const codes = new Set(answers.filter(({ status }) => status !== 200).map(({ body }) => body['code']));
    const known = ['auth.revoked', 'approval.repeated', 'promotion.illegal_transition'];
    expect(known).toEqual(expect.arrayContaining([...codes]));
    expect(taken).toBeLessThanOrEqual(1);
    expect(await eventsOf(id, 'promotion.approved')).toBe(taken);
    const after = await post(`promotions/${id}/approve`, {}, minted);
    expect(refusedBy([after], 'auth.revoked', 3)).toHaveLength(1);
    if (taken === 0) await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
    await untilStatus(test.admin, id, taken === 0 ? 'cancelled' : 'completed');
  });

  it('to approve is not got over one’s own request by another token, nor by one’s automation', async () => {
    const both = await enrol(test, 'erin', 'releaser@*', 'approver@*');
    const body = { name: 'ci', automation: 'erins-ci', roles: ['releaser@*'] };
    const ci = await both.client.call('mintToken', { body });
    const second = await both.client.call('mintToken', { body: { name: 'second' } });
    const made = await post('promotions', { release: 'shop-1', environment: 'own' }, ci);
    const id = String(made.body['id']);
    await untilStatus(test.admin, id, 'pending_approval');
    const answers = [both, second].map((who) => post(`promotions/${id}/approve`, {}, who));
    expect(refusedBy(await Promise.all(answers), 'auth.own_request', 3)).toHaveLength(2);
    const byAutomation = await post(`promotions/${id}/approve`, {}, ci);
    expect(refusedBy([byAutomation], 'auth.forbidden', 3)).toHaveLength(1);
    expect(await eventsOf(id, 'promotion.approved')).toBe(0);
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
  });
});

describe('a promotion that somebody else holds in the database', () => {
  it('bug: is answered with 503 when it is not let go in time, and nothing is written', async () => {
    const id = await waiting(2, 'stops');
    const client = await connect();
    try {
      await client.query('begin');
      await client.query('select from stella.promotions where id = $1 for update', [id]);
      const late = await post(`promotions/${id}/cancel`, {});
      expect(refusedBy([late], 'database.unavailable', 10)).toHaveLength(1);
      expect(late.status).toBe(503);
    } finally {
      await client.end();
    }
    expect(await eventsOf(id, 'promotion.cancel_requested')).toBe(0);
    expect(await post(`promotions/${id}/cancel`, {})).toMatchObject({ status: 200 });
    await untilStatus(test.admin, id, 'cancelled');
  });
});

describe('words of people', () => {
  it.each([
    { what: 'U+0000', reason: 'a\u0000b' },
    { what: 'half a pair', reason: '\ud83d' },
    { what: 'another half', reason: 'x\ude00' },
  ])('bug: with $what are refused as input.invalid, not as an error of ours', async ({ reason }) => {
    const id = await waiting(RACES.length + 1, 'texts');
    const refused = await post(`promotions/${id}/cancel`, { reason });
    expect(refusedBy([refused], 'input.invalid', 2)).toHaveLength(1);
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: { reason: 'a\u{1f600}\n\tb' } });
    await untilStatus(test.admin, id, 'cancelled');
  });
});

describe('a path or a query', () => {
  it.each([
    '/api/v1/releases/a%00b',
    '/api/v1/environments/%00',
    '/api/v1/promotions/%00',
    '/api/v1/locks?environment=%00',
    '/api/v1/promotions?release=%00',
    '/api/v1/settings/%00',
  ])('bug: with U+0000 is refused as input.invalid: %s', async (path) => {
    expect(refusedBy([await ask(test.server, path)], 'input.invalid', 2)).toHaveLength(1);
  });
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ host: join(test.place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await client.connect();
  return client;
}

/** As a change of roles in an identity provider does it. */
async function takeRights(subject: string): Promise<void> {
  const client = await connect();
  try {
    const text = 'delete from stella.role_bindings where owner_id = (select id from stella.persons where subject = $1)';
    const { rowCount } = await client.query(text, [subject]);
    expect(rowCount).toBe(1);
  } finally {
    await client.end();
  }
}
