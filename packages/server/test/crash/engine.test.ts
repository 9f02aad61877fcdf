/**
 * A real server is killed with SIGKILL at each step of a promotion, in a promotion of its own for each step: after the
 * next start it must end as if nothing had happened, and the target must have seen each operation once.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  adminClient,
  makeServerPlace,
  type ServerPlace,
  type ServerProcess,
  startServerProcess,
  waitFor,
  writeOciLayout,
} from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINE_FAULT_POINTS, type EngineFaultPoint } from '../../src/engine/fault-points.ts';
import { expectNoViolations } from '../integration/no-violations.ts';

/** More than a promotion passes any point. */
const DEATHS_MAX = 30;
const STEP_TIMEOUT_MS = 30_000;
/** A probe that was cut off is repeated soon. */
const SOON = { STELLA_PRECHECK_INTERVAL: '1s' };

/** How often a promotion through six steps passes each point, at least. */
const DEATHS_LEAST: Readonly<Record<EngineFaultPoint, number>> = {
  'engine.claimed': 1,
  'engine.before_tick': 6,
  'engine.after_tick': 6,
  'engine.before_effect': 6,
  'engine.after_effect': 6,
};

let place: ServerPlace;
let gate: Server;
/** Idempotency keys that the gate was asked with, in order. */
const asked: string[] = [];

beforeAll(async () => {
  place = await makeServerPlace();
  await mkdir(join(place.targets, 'web'), { recursive: true });
  await writeOciLayout(
    place.layouts,
    ['odd', 'even'].map((tag) => ({ tag, files: { 'index.html': `<h1>${tag}</h1>` } })),
  );
  gate = createServer((request, response) => {
    // Others on this machine may still ask for a server that had this port before.
    if (request.url !== '/tests') {
      response.writeHead(404).end();
      return;
    }
    asked.push(String(request.headers['idempotency-key']));
    request.resume();
    response.setHeader('content-type', 'application/json').end('{"verdict":"passed","message":"tested"}');
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  gate.close();
  await place.remove();
});

describe('a promotion whose server is killed', () => {
  it.each(ENGINE_FAULT_POINTS)('completes, whichever hit of %s it is', async (point) => {
    let server = await startServerProcess(place, { env: SOON });
    await applyEnvironment(server);
    let deathCount = 0;
    for (let hit = 1; hit <= DEATHS_MAX; hit += 1) {
      asked.length = 0;
      await server.arm({ point, hit });
      const id = await promote(server, `${point}-${hit}`);
      if ((await untilCompleted(server, id)) === 'completed') break;
      expect(await server.ended).toBe('SIGKILL');
      deathCount += 1;
      server = await startServerProcess(place, { env: SOON });
      expect(await untilCompleted(server, id)).toBe('completed');
      await checkTraces(server, id, tagOf(hit));
    }
    // While its PostgreSQL runs, which ends with it.
    await expectNoViolations(place);
    await server.stop();
    expect(deathCount).toBeGreaterThanOrEqual(DEATHS_LEAST[point]);
    expect(deathCount).toBeLessThan(DEATHS_MAX);
  });
});

async function applyEnvironment(server: ServerProcess): Promise<void> {
  // The test's own server listens on a port.
  const { port } = gate.address() as AddressInfo;
  const text = `
kind: Environment
name: web
gates:
  - { name: tests, kind: http, url: "http://127.0.0.1:${port}/tests" }
targets:
  - { name: web, kind: files, component: web, directory: ${join(place.targets, 'web')} }
`;
  await adminClient(server).call('applyDefinitions', { body: { documents: [{ file: 'web.yaml', text }] } });
}

async function promote(server: ServerProcess, label: string): Promise<string> {
  const client = adminClient(server);
  const name = label.replace(/[._]/g, '-');
  const hit = Number(/\d+$/.exec(label)?.[0]);
  const artifact = `oci-layout:${place.layouts}:${tagOf(hit)}`;
  await client.call('createRelease', { body: { name, components: [{ name: 'web', artifact }] } });
  return (await client.call('createPromotion', { body: { release: name, environment: 'web' } })).id;
}

/** Every other promotion brings other bytes. */
function tagOf(hit: number): string {
  return hit % 2 === 0 ? 'even' : 'odd';
}

async function untilCompleted(server: ServerProcess, id: string): Promise<'completed' | 'server ended'> {
  let status = '';
  let isServerEnded = false;
  void server.ended.then(() => {
    isServerEnded = true;
  });
  await waitFor(
    async () => {
      status = await statusOf(server, id);
      return status === 'completed' || status === 'failed' || isServerEnded;
    },
    { timeoutMs: STEP_TIMEOUT_MS, why: 'the promotion ends, or the server dies' },
  );
  if (isServerEnded) return 'server ended';
  expect(status, server.log()).toBe('completed');
  return 'completed';
}

/** Empty while the server does not answer: it may just have died. */
async function statusOf(server: ServerProcess, id: string): Promise<string> {
  try {
    return (await adminClient(server).call('getPromotion', { parameters: { promotion: id } })).status;
  } catch {
    // Looked at again until the deadline.
    return '';
  }
}

async function checkTraces(server: ServerProcess, id: string, tag: string): Promise<void> {
  const client = adminClient(server);
  expect(await readFile(join(place.targets, 'web', 'current', 'index.html'), 'utf8')).toBe(`<h1>${tag}</h1>`);
  expect((await client.call('listLocks')).items).toEqual([]);
  const { items: events } = await client.call('tracePromotion', { parameters: { promotion: id } });
  expect(events.map((event) => event.promotionSeq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter((event) => JSON.stringify(event.data).includes('"to":"completed"'))).toHaveLength(1);
  const operations = await operationsOf(id);
  expect(operations.length).toBeGreaterThan(0);
  expect(new Set(operations).size).toBe(operations.length);
  const { items: runs } = await client.call('listGateRuns', { parameters: { promotion: id } });
  const known = runs.flatMap((run) => run.attempts.map((attempt) => attempt.operationId));
  expect(known).toEqual(expect.arrayContaining([...new Set(asked)]));
}

/** Operation ids of this promotion that the target has records of, one per record. */
async function operationsOf(id: string): Promise<readonly string[]> {
  const folder = join(place.targets, 'web', '.stella', 'operations');
  const records = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return records
    .map((text) => String((JSON.parse(text) as { operationId?: unknown }).operationId))
    .filter((operationId) => operationId.startsWith(id));
}
