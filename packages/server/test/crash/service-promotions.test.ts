/**
 * Promotions go on over `stella service restart`: one whose gate answers late, one in the middle of its deploy. Nothing is
 * lost, and neither gate nor target sees an operation twice as another one.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeClient } from '@stella/contract/client';
import { waitFor, writeOciLayout } from '@stella/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectNoViolations } from '../integration/no-violations.ts';
import { openServiceStage, type Report, type ServiceStage } from './service-stage.ts';

const SETUP_TIMEOUT_MS = 180_000;
const STEP_TIMEOUT_MS = 90_000;
/** Unpacking so many takes far longer than to notice that it has begun. */
const FILE_COUNT = 12_000;

let stage: ServiceStage;
let gate: Server;
/** Gate calls that were not answered yet, by idempotency key, and those that were. */
const held: { readonly key: string; readonly response: ServerResponse }[] = [];
const answered: string[] = [];
let started: Report;

beforeAll(async () => {
  stage = await openServiceStage();
  await mkdir(join(stage.place.targets, 'web'), { recursive: true });
  const files = Object.fromEntries(Array.from({ length: FILE_COUNT }, (_, index) => [`page-${index}.html`, 'x']));
  await writeOciLayout(stage.place.layouts, [
    { tag: 'small', files: { 'index.html': 'small' } },
    { tag: 'large', files: { ...files, 'index.html': 'large' } },
  ]);
  gate = createServer((request, response) => {
    request.resume();
    const key = String(request.headers['idempotency-key']);
    if (request.url === '/held') held.push({ key, response });
    else answer(key, response);
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  started = await stage.done('start');
  // The test's own server listens on a port.
  const { port } = gate.address() as AddressInfo;
  await applyEnvironment('slow', `http://127.0.0.1:${port}/held`);
  await applyEnvironment('web', `http://127.0.0.1:${port}/tests`);
}, SETUP_TIMEOUT_MS);
afterAll(async () => {
  gate.closeAllConnections();
  gate.close();
  await stage.remove();
}, SETUP_TIMEOUT_MS);

it(
  'completes a promotion whose gate answers after the restart, once',
  async () => {
    const id = await promote('slow', 'small');
    await waitFor(() => held.length > 0, { timeoutMs: STEP_TIMEOUT_MS, why: 'the gate is asked' });
    const restarted = await stage.done('restart');
    expect(restarted.database.pid).toBe(started.database.pid);
    await waitFor(() => held.some(({ response }) => !response.destroyed), {
      timeoutMs: STEP_TIMEOUT_MS,
      why: 'the next server asks again',
    });
    for (const { key, response } of held) answer(key, response);
    await untilCompleted(id);
    await expectOneStory(id);
    const attempts = await gateAttempts(id);
    expect(new Set(held.map(({ key }) => key))).toEqual(new Set(attempts));
  },
  SETUP_TIMEOUT_MS,
);

it(
  'completes a promotion that is in the middle of its deploy, and the target switches once',
  async () => {
    const id = await promote('web', 'large');
    await waitFor(async () => (await unpackedCount()) > 0, { timeoutMs: STEP_TIMEOUT_MS, why: 'it unpacks' });
    const restarting = stage.done('restart');
    await restarting;
    await untilCompleted(id);
    await expectOneStory(id);
    expect(await readFile(join(stage.place.targets, 'web', 'current', 'index.html'), 'utf8')).toBe('large');
    expect(await readdir(join(stage.place.targets, 'web', 'current'))).toHaveLength(FILE_COUNT + 1);
    await expectNoViolations(stage.place);
    await stage.done('stop');
  },
  SETUP_TIMEOUT_MS,
);

function answer(key: string, response: ServerResponse): void {
  if (response.destroyed) return;
  answered.push(key);
  response.setHeader('content-type', 'application/json').end('{"verdict":"passed","message":"tested"}');
}

async function client(): Promise<ReturnType<typeof makeClient>> {
  const { url } = await stage.done('status');
  const token = (await readFile(join(stage.place.dataDir, 'admin.token'), 'utf8')).trim();
  return makeClient({ server: url ?? '', token, timeoutMs: 30_000 });
}

async function applyEnvironment(name: string, gateUrl: string): Promise<void> {
  const directory = join(stage.place.targets, name);
  await mkdir(directory, { recursive: true });
  const text = `
kind: Environment
name: ${name}
gates:
  - { name: tests, kind: http, url: "${gateUrl}" }
targets:
  - { name: ${name}, kind: files, component: web, directory: ${directory} }
`;
  await (await client()).call('applyDefinitions', { body: { documents: [{ file: 'web.yaml', text }] } });
}

async function promote(environment: string, tag: string): Promise<string> {
  const api = await client();
  const components = [{ name: 'web', artifact: `oci-layout:${stage.place.layouts}:${tag}` }];
  await api.call('createRelease', { body: { name: `${environment}-${tag}`, components } });
  return (await api.call('createPromotion', { body: { release: `${environment}-${tag}`, environment } })).id;
}

async function untilCompleted(id: string): Promise<void> {
  const api = await client();
  await waitFor(
    async () => (await api.call('getPromotion', { parameters: { promotion: id } })).status === 'completed',
    { timeoutMs: STEP_TIMEOUT_MS, why: 'the promotion completes' },
  );
}

/** Its events are one chain without a gap, and it ended once. */
async function expectOneStory(id: string): Promise<void> {
  const api = await client();
  const { items: events } = await api.call('tracePromotion', { parameters: { promotion: id } });
  expect(events.map((event) => event.promotionSeq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter((event) => JSON.stringify(event.data).includes('"to":"completed"'))).toHaveLength(1);
  expect((await api.call('listLocks')).items).toEqual([]);
}

async function gateAttempts(id: string): Promise<readonly string[]> {
  const { items } = await (await client()).call('listGateRuns', { parameters: { promotion: id } });
  return items.flatMap((run) => run.attempts.map((attempt) => attempt.operationId));
}

/** Files of releases that lie in the target before anything points to them. */
async function unpackedCount(): Promise<number> {
  const names = await readdir(join(stage.place.targets, 'web'), { recursive: true }).catch(() => []);
  return names.filter((name) => name.includes('page-')).length;
}
