/** Skips of gates through the API: who may, what comes of it, and how what is owed is paid. */
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import pg from 'pg';
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

type Person = Awaited<ReturnType<typeof enrol>>;

const TIMEOUT_MS = 20_000;

let test: TestServer;
let gate: GateServer;
let olga: Person;
let bob: Person;
let peter: Person;
beforeAll(async () => {
  test = await startTestServer();
  gate = await startGateServer();
  await createReleases(test, 6);
  const tests = `- { name: tests, kind: http, url: "${gate.url}", timeout: 1s, retries: 0 }`;
  await applyEnvironments(test, [
    { name: 'prod', gates: [tests] },
    { name: 'second', gates: [tests] },
    { name: 'slow', gates: [tests, '- { name: sign, kind: approval }'] },
    { name: 'strict', gates: [tests.replace('}', ', skip: forbidden }'), '- { name: sign, kind: approval }'] },
    { name: 'lax', gates: ['- { name: sign, kind: approval, skip: allowed }'] },
  ]);
  olga = await enrol(test, 'olga', 'operator@*');
  bob = await enrol(test, 'bob', 'approver@*');
  peter = await enrol(test, 'peter', 'operator@*', 'approver@*');
  await test.admin.call('changeSetting', { parameters: { setting: 'debts.interval' }, body: { value: '1s' } });
});
afterAll(async () => {
  gate.close();
  await test.remove();
});

const promote = async (release: string, environment: string): Promise<string> =>
  (await test.admin.call('createPromotion', { body: { release, environment } })).id;
const read = (promotion: string) => test.admin.call('getPromotion', { parameters: { promotion } });
const skip = (who: Person, promotion: string, name = 'tests') =>
  who.client.call('skipGate', { parameters: { promotion, gate: name }, body: { reason: 'the service is down' } });
const approveSkip = (who: Person, promotion: string, name = 'tests') =>
  who.client.call('approvePromotion', { parameters: { promotion }, body: { skip: name } });

async function untilGate(promotion: string, wanted: (state: string, round: number) => boolean): Promise<void> {
  await waitFor(
    async () => {
      const run = (await read(promotion)).gates.findLast((one) => one.gate === 'tests');
      return run !== undefined && wanted(run.state, run.round);
    },
    { timeoutMs: TIMEOUT_MS, why: 'the gate comes so far' },
  );
}

async function untilDebt(promotion: string, state: string): Promise<void> {
  await waitFor(async () => (await read(promotion)).debts.some((debt) => debt.state === state), {
    timeoutMs: TIMEOUT_MS,
    why: `the debt is ${state}`,
  });
}

/** At a gate that gives no verdict. */
async function heldAt(release: string, environment: string): Promise<string> {
  gate.answerWith(500, '');
  const id = await promote(release, environment);
  await untilGate(id, (state) => state === 'error');
  return id;
}

/** The rows of a statement that is run as the owner of the tables. */
async function asOwner(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ host: join(test.place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await client.connect();
  try {
    await client.query('set search_path = stella');
    const { rows } = await client.query<Record<string, unknown>>(text);
    return rows;
  } finally {
    await client.end();
  }
}

describe('a skip', () => {
  it('is refused to whoever may not: by its code, and nothing is written', async () => {
    const id = await heldAt('shop-1', 'strict');
    const path = (name: string) => `/api/v1/promotions/${id}/gates/${name}/skip`;
    const post = (who: Person, name: string, body: unknown) => ask(test.server, path(name), { token: who.token, body });
    const body = { reason: 'the service is down' };
    expect(await post(olga, 'tests', {})).toMatchObject({ status: 400, body: { code: 'input.invalid' } });
    expect(await post(bob, 'tests', body)).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    expect(await post(olga, 'tets', body)).toMatchObject({ status: 404, body: { code: 'gate.not_found' } });
    expect(await post(olga, 'tests', body)).toMatchObject({ status: 409, body: { code: 'skip.forbidden' } });
    expect(await post(olga, 'sign', body)).toMatchObject({ status: 409, body: { code: 'skip.forbidden' } });
    expect((await read(id)).gates.flatMap((run) => run.skips)).toEqual([]);
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
  });

  it('counts with a second person; the gate is owed until it passes for what runs', async () => {
    const id = await heldAt('shop-1', 'prod');
    const asked = await skip(olga, id);
    expect(asked.status).toBe('in_progress');
    expect(asked.possible).toContain(`stella promotion approve ${id} --skip tests`);
    const again = await ask(test.server, `/api/v1/promotions/${id}/gates/tests/skip`, { body: { reason: 'again' } });
    expect(again).toMatchObject({ status: 409, body: { code: 'skip.exists' } });
    const own = await ask(test.server, `/api/v1/promotions/${id}/approve`, { body: { skip: 'tests' } });
    expect(own).toMatchObject({ status: 403, body: { code: 'auth.own_request' } });
    await expect(approveSkip(olga, id)).rejects.toMatchObject({ code: 'auth.forbidden' });
    await approveSkip(bob, id);
    await untilStatus(test.admin, id, 'completed');
    const completed = await read(id);
    expect(completed.gates).toMatchObject([{ state: 'skipped', skips: [{ state: 'used', decidedBy: 'bob' }] }]);
    await waitFor(async () => (await read(id)).debts[0]?.lastOutcome === 'error', {
      timeoutMs: TIMEOUT_MS,
      why: 'the gate is asked for what runs',
    });
    expect(await test.admin.call('getOrchestrator')).toMatchObject({ openDebtCount: 1 });
    const place = await test.admin.call('getEnvironment', { parameters: { environment: 'prod' } });
    expect(place.debts).toMatchObject([{ gate: 'tests', promotionId: id, state: 'open' }]);
    const metrics = await ask(test.server, '/metrics');
    expect(String(metrics.body['text'])).toContain('stella_gate_debts_open 1');
    gate.answerWith(200, '{"verdict":"passed","message":"all 9 passed"}');
    await untilDebt(id, 'paid');
    expect(await read(id)).toMatchObject({ version: completed.version, debts: [{ message: 'all 9 passed' }] });
    expect(await test.admin.call('getOrchestrator')).toMatchObject({ openDebtCount: 0 });
  });

  it('is not approved by who asked for it, and ends alone when it is rejected', async () => {
    const id = await heldAt('shop-2', 'prod');
    await skip(peter, id);
    await expect(approveSkip(peter, id)).rejects.toMatchObject({ code: 'auth.own_skip' });
    const parameters = { promotion: id };
    const both = bob.client.call('rejectPromotion', { parameters, body: { skip: 'tests', gate: 'tests' } });
    await expect(both).rejects.toMatchObject({ code: 'input.invalid' });
    await bob.client.call('rejectPromotion', { parameters, body: { skip: 'tests', reason: 'no' } });
    expect(await read(id)).toMatchObject({ status: 'in_progress', gates: [{ skips: [{ state: 'rejected' }] }] });
    await expect(approveSkip(bob, id)).rejects.toMatchObject({ code: 'skip.not_found' });
    await test.admin.call('cancelPromotion', { parameters, body: {} });
    await untilStatus(test.admin, id, 'cancelled');
  });

  it('lapses unused, and the gate is asked again', async () => {
    const setting = 'skips.expireAfter';
    await test.admin.call('changeSetting', { parameters: { setting }, body: { value: '1s' } });
    const id = await heldAt('shop-2', 'slow');
    await skip(olga, id);
    await approveSkip(bob, id);
    await untilGate(id, (_, round) => round === 2);
    const runs = (await read(id)).gates.filter((run) => run.gate === 'tests');
    expect(runs).toMatchObject([{ state: 'expired', skips: [{ state: 'lapsed', message: 'it expired' }] }, {}]);
    await test.admin.call('changeSetting', { parameters: { setting }, body: { value: null } });
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
  });
});

describe('a debt', () => {
  it('is superseded by the next release that completes there', async () => {
    const id = await heldAt('shop-3', 'prod');
    await skip(olga, id);
    await approveSkip(bob, id);
    await untilStatus(test.admin, id, 'completed');
    gate.answerWith(200, '{"verdict":"failed","message":"no"}');
    await waitFor(async () => (await read(id)).debts[0]?.lastOutcome === 'failed', {
      timeoutMs: TIMEOUT_MS,
      why: 'a no leaves the debt open',
    });
    const next = await heldAt('shop-4', 'prod');
    await skip(olga, next);
    await approveSkip(bob, next);
    await untilStatus(test.admin, next, 'completed');
    expect((await read(id)).debts).toMatchObject([{ state: 'superseded' }]);
    expect((await read(next)).debts).toMatchObject([{ state: 'open' }]);
  });

  it('whose promotion cannot be read stops no other debt, and is asked for as soon as it can', async () => {
    const owed = async (release: string, environment: string): Promise<string> => {
      const id = await heldAt(release, environment);
      await skip(olga, id);
      await approveSkip(bob, id);
      await untilStatus(test.admin, id, 'completed');
      return id;
    };
    const sick = await owed('shop-5', 'prod');
    const [stored] = await asOwner(`select definition_hash from promotions where id = '${sick}'`);
    const write = (hash: string) =>
      asOwner(`alter table promotions disable trigger user;
        update promotions set definition_hash = '${hash}' where id = '${sick}';
        alter table promotions enable trigger user`);
    await write(`sha256:${'0'.repeat(64)}`);
    const askCount = async (): Promise<number> => {
      const [debt] = await asOwner(`select ask_count::int from gate_debts where promotion_id = '${sick}'`);
      return Number(debt?.['ask_count']);
    };
    const before = await askCount();
    // It is the older one, so it is looked at first, each time.
    await waitFor(async () => (await askCount()) >= before + 2, { timeoutMs: TIMEOUT_MS, why: 'it was tried twice' });
    const sound = await owed('shop-6', 'second');
    gate.answerWith(200, '{"verdict":"passed"}');
    await untilDebt(sound, 'paid');
    await write(String(stored?.['definition_hash']));
    await untilDebt(sick, 'paid');
    expect((await read(sick)).debts).toMatchObject([{ lastOutcome: 'passed' }]);
  });

  it('of an approval is paid by the persons who were not asked, and goes with its environment', async () => {
    const id = await promote('shop-5', 'lax');
    await untilStatus(test.admin, id, 'pending_approval');
    await skip(olga, id, 'sign');
    await approveSkip(bob, id, 'sign');
    await untilStatus(test.admin, id, 'completed');
    const command = `stella promotion approve ${id} --gate sign`;
    expect((await read(id)).possible).toEqual([command]);
    const own = await ask(test.server, `/api/v1/promotions/${id}/approve`, { body: { gate: 'sign' } });
    expect(own).toMatchObject({ status: 403, body: { code: 'auth.own_request' } });
    const approve = () =>
      bob.client.call('approvePromotion', { parameters: { promotion: id }, body: { gate: 'sign', reason: 'fine' } });
    await approve();
    await untilDebt(id, 'paid');
    await expect(approve()).rejects.toMatchObject({ code: 'promotion.illegal_transition' });

    const other = await promote('shop-6', 'lax');
    await untilStatus(test.admin, other, 'pending_approval');
    await skip(olga, other, 'sign');
    await approveSkip(bob, other, 'sign');
    await untilStatus(test.admin, other, 'completed');
    const { items } = await test.admin.call('listEnvironments');
    const kept = items.filter((one) => one.name !== 'lax');
    const documents = await Promise.all(
      kept.map(async ({ name }) => ({
        file: `${name}.yaml`,
        text: (await test.admin.call('getEnvironment', { parameters: { environment: name } })).yaml,
      })),
    );
    await test.admin.call('applyDefinitions', { body: { documents, prune: true } });
    expect((await read(other)).debts).toMatchObject([{ state: 'superseded', message: 'the environment was removed' }]);
  });
});
