/** Diagnoses through the API of a real server: real faults, the cause named first, the printed remedy at work. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { adminClient, makeServerPlace, startServerProcess, waitFor, writeOciLayout } from '@stella/testkit';
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

/** On a machine that is busy with other tests. */
const TIMEOUT_MS = 60_000;

type Diagnosis = Answer<'diagnosePromotion'>;
type Asked = Pick<TestServer, 'admin'>;

let test: TestServer;
let gate: GateServer;
let health: Server;
let sql: pg.Client;

beforeAll(async () => {
  test = await startTestServer();
  gate = await startGateServer();
  // Answers nothing, ever: whoever asks waits for his own deadline.
  health = createServer(() => undefined);
  await new Promise<void>((resolve) => health.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = health.address() as AddressInfo;
  await createReleases(test, 4);
  await applyEnvironments(test, [
    {
      name: 'prod',
      gates: [`- { name: tests, kind: http, url: "${gate.url}", timeout: 300ms, retries: 1, backoff: 0s }`],
    },
    { name: 'signed', gates: ['- { name: sign, kind: approval }'] },
  ]);
  await test.admin.call('applyDefinitions', { body: { documents: [{ file: 'hung.yaml', text: hungYaml(port) }] } });
  sql = await connect(test.place.dataDir);
}, TIMEOUT_MS);

afterAll(async () => {
  health.closeAllConnections();
  health.close();
  gate.close();
  await sql.end();
  await test.remove();
}, TIMEOUT_MS);

/** Its target is healthy when nobody knows. */
function hungYaml(port: number): string {
  return [
    'kind: Environment',
    'name: hung',
    'targets:',
    '  - name: web',
    '    kind: files',
    '    component: web',
    `    directory: ${join(test.place.targets, 'hung')}`,
    `    health: { url: "http://127.0.0.1:${port}/", timeout: 1m, deadline: 10m }`,
    '',
  ].join('\n');
}

/** As the role that owns the schema, as an administrator would. */
async function connect(dataDir: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: join(dataDir, 'run'),
    user: 'stella_owner',
    database: 'stella',
    application_name: 'dba',
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  // The session may be ended by its remedy.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const promote = async (release: string, environment: string): Promise<string> =>
  (await test.admin.call('createPromotion', { body: { release, environment } })).id;
const diagnose = ({ admin }: Asked, promotion: string): Promise<Diagnosis> =>
  admin.call('diagnosePromotion', { parameters: { promotion } });

async function untilCause(asked: Asked, promotion: string, code: string): Promise<Diagnosis> {
  let found: Diagnosis | null = null;
  await waitFor(
    async () => {
      found = await diagnose(asked, promotion);
      return found.causes[0]?.code === code;
    },
    { timeoutMs: TIMEOUT_MS, why: `${code} is named first` },
  );
  if (found === null) throw new Error('it was asked at least once');
  return found;
}

describe('a promotion whose gate hangs', () => {
  it(
    'names gate.slow with a time-out that cures it',
    async () => {
      gate.answerAfter(700);
      const id = await promote('shop-1', 'prod');
      const diagnosis = await untilCause(test, id, 'gate.slow');
      expect(diagnosis.verdict).toBe('stalled');
      const [raise] = diagnosis.causes[0]?.remedies ?? [];
      // 300 ms are not enough, and nobody has seen it answer.
      expect(raise?.command).toBe('stella orch config set gates.tests.timeout 1s');
      await waitFor(async () => (await gates(id))[0]?.heldUntil !== null, {
        timeoutMs: TIMEOUT_MS,
        why: 'the gate is held',
      });
      const parameters = { setting: 'gates.tests.timeout' };
      await test.admin.call('changeSetting', { parameters, body: { value: '1s' } });
      expect(await untilStatus(test.admin, id, 'completed')).toBe('completed');
      expect(await diagnose(test, id)).toMatchObject({ verdict: 'ended', causes: [] });
      await test.admin.call('changeSetting', { parameters, body: { value: null } });
      gate.answerAfter(0);
    },
    TIMEOUT_MS,
  );

  const gates = async (promotion: string) =>
    (await test.admin.call('listGateRuns', { parameters: { promotion } })).items;
});

describe('a promotion that waits', () => {
  it(
    'for a person is waiting, until the deadline, with who may decide',
    async () => {
      await enrol(test, 'bob', 'approver@signed');
      const id = await promote('shop-1', 'signed');
      const diagnosis = await untilCause(test, id, 'approval.pending');
      expect(diagnosis.verdict).toBe('waiting');
      expect(diagnosis.waitsUntil).not.toBeNull();
      expect(diagnosis.causes[0]?.facts.map((fact) => fact.value)).toContain('bob');
      const viewer = await enrol(test, 'vera', 'viewer@prod');
      const path = `/api/v1/promotions/${id}/diagnosis`;
      expect(await ask(test.server, path, { token: viewer.token })).toMatchObject({ status: 403 });
      expect(await ask(test.server, '/api/v1/promotions/prm_ffff/diagnosis')).toMatchObject({ status: 404 });
      await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
    },
    TIMEOUT_MS,
  );

  it(
    'behind a holder that hangs on its target names the holder, until when it may take',
    async () => {
      const first = await promote('shop-2', 'hung');
      const step = async (): Promise<string> =>
        (await test.admin.call('getPromotion', { parameters: { promotion: first } })).step;
      await waitFor(async () => (await step()) === 'verify', { timeoutMs: TIMEOUT_MS, why: 'the first one hangs' });
      expect(await diagnose(test, first)).toMatchObject({ verdict: 'healthy', causes: [] });
      const second = await promote('shop-3', 'hung');
      expect((await untilCause(test, second, 'lock.held')).verdict).toBe('waiting');
      // A stall is a matter of a setting: a second is enough for the first one to count as stalled.
      const parameters = { setting: 'stuck.after' };
      await test.admin.call('changeSetting', { parameters, body: { value: '1s' } });
      const chain = await untilCause(test, second, 'target.slow');
      expect(chain.causes.map((cause) => [cause.code, cause.promotionId])).toEqual([
        ['target.slow', first],
        ['lock.held', second],
      ]);
      await test.admin.call('changeSetting', { parameters, body: { value: null } });
      for (const promotion of [second, first]) {
        await test.admin.call('cancelPromotion', { parameters: { promotion }, body: {} });
      }
      await untilStatus(test.admin, second, 'cancelled');
    },
    TIMEOUT_MS,
  );
});

describe('a row that somebody holds in the database', () => {
  it(
    'is database.contention, with the session, its age and its query without values, until it ends',
    async () => {
      const id = await promote('shop-2', 'signed');
      await untilCause(test, id, 'approval.pending');
      await sql.query('begin');
      await sql.query(`select 'a secret', id from stella.promotions where id = '${id}' for update`);
      const diagnosis = await untilCause(test, id, 'database.contention');
      expect(diagnosis).toMatchObject({ verdict: 'stalled', causes: [{ confidence: 'certain' }, {}] });
      const words = JSON.stringify(diagnosis.causes[0]?.facts);
      expect(words).toContain('holds the row of the promotion for');
      expect(words).toContain('idle in transaction: select ?, id from stella.promotions where id = ? for update');
      expect(words).not.toContain('secret');
      await sql.query('rollback');
      expect((await untilCause(test, id, 'approval.pending')).verdict).toBe('waiting');
      await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
    },
    TIMEOUT_MS,
  );
});

describe('a worker that was killed', () => {
  it(
    'is worker.dead while nobody takes over, and its promotion goes on with the next',
    async () => {
      const place = await makeServerPlace();
      const slow = await startGateServer();
      try {
        slow.answerAfter(TIMEOUT_MS);
        const server = await startServerProcess(place);
        const first = { place, server, admin: adminClient(server), remove: () => Promise.resolve() };
        await writeOciLayout(place.layouts, [{ tag: '1', files: { 'index.html': 'page' } }]);
        await applyEnvironments(first, [
          { name: 'prod', gates: [`- { name: tests, kind: http, url: "${slow.url}" }`] },
        ]);
        const components = [{ name: 'web', artifact: `oci-layout:${place.layouts}:1` }];
        await first.admin.call('createRelease', { body: { name: 'shop-1', components } });
        const { id } = await first.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'prod' } });
        await waitFor(
          async () =>
            (await first.admin.call('getPromotion', { parameters: { promotion: id } })).step === 'evaluate_gates',
          {
            timeoutMs: TIMEOUT_MS,
            why: 'its gate is asked',
          },
        );
        process.kill(server.pid, 'SIGKILL');
        await server.ended;
        const alone = await startServerProcess(place, { role: 'api' });
        const api = { admin: adminClient(alone) };
        const diagnosis = await untilCause(api, id, 'worker.dead');
        expect(diagnosis.verdict).toBe('stalled');
        expect(JSON.stringify(diagnosis.causes[0]?.facts)).toContain('no other worker lives');
        expect(diagnosis.causes[0]?.remedies[0]?.command).toBe('stella service restart orchestrator');
        // What the remedy does: this server ends, and one with a worker comes.
        process.kill(alone.pid, 'SIGTERM');
        await alone.ended;
        const again = { admin: adminClient(await startServerProcess(place)) };
        await waitFor(async () => (await diagnose(again, id)).verdict === 'healthy', {
          timeoutMs: TIMEOUT_MS,
          why: 'it goes on',
        });
      } finally {
        slow.close();
        await place.remove();
      }
    },
    3 * TIMEOUT_MS,
  );
});
