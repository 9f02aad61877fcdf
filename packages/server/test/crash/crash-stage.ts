/**
 * A real server that dies where it is told to and is started again at once, and callers who repeat each call, with its
 * Idempotency-Key, until it is answered: what a scenario asks is written once, whenever the server dies in between.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { type Client, makeClient } from '@stella/contract/client';
import { isAppError } from '@stella/domain';
import {
  type Fault,
  makeServerPlace,
  type ServerPlace,
  type ServerProcess,
  startServerProcess,
  waitFor,
  writeOciLayout,
} from '@stella/testkit';
import pg from 'pg';
import { expect } from 'vitest';
import { pause } from '../../src/ports/clock.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { signatureHeaders } from '../../src/webhooks/webhook-signature.ts';

const REPEAT_MS = 20;
const STEP_TIMEOUT_MS = 90_000;
/** A call may end with the server; then it is repeated. */
const CALL_TIMEOUT_MS = 15_000;
/** What was cut off is probed again soon. */
const SECRET = 'a secret of the gates that call back';
const SOON = { STELLA_PRECHECK_INTERVAL: '1s', STELLA_SECRET_TESTS: SECRET };
/** Errors that say nothing about whether the call took effect, or that it is repeated too early. */
const UNCLEAR = ['server.unreachable', 'request.timeout', 'database.unavailable', 'idempotency.in_flight'] as const;

export type Call = Client['call'];

export interface CrashStage {
  readonly place: ServerPlace;
  /** Of the gates and health checks: `http://127.0.0.1:41234`. */
  readonly outside: string;
  /** Idempotency keys that gates were asked with, and ids of notices that came. */
  readonly asked: string[];
  /** Deaths since the last `arm` or `restart`. */
  deathCount(): number;
  /** As the first admin, or with a token; each call has a key and is repeated until it is answered. */
  caller(token?: string): Call;
  /** The next deaths, in order: the first now, each other one from the start after the one before. */
  arm(...faults: readonly Fault[]): Promise<void>;
  /** Ends the server with SIGTERM, and starts it with these deaths before it. */
  restart(...faults: readonly Fault[]): Promise<void>;
  until(promotion: string, status: string): Promise<void>;
  /** Rows of the one statement, as the driver reads them. */
  asOwner(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Locks the row of a promotion until the answer is called. */
  hold(promotion: string): Promise<() => Promise<void>>;
  /** Of this promotion: what its target has records of, one per record. */
  operationsOf(name: string, promotion: string): Promise<readonly string[]>;
  remove(): Promise<void>;
}

export async function makeCrashStage(): Promise<CrashStage> {
  const place = await makeServerPlace();
  const images = ['odd', 'even'].map((tag) => ({ tag, files: { 'index.html': `<h1>${tag}</h1>` } }));
  await writeOciLayout(place.layouts, images);
  const asked: string[] = [];
  const lives = await makeLives(place);
  const outside = await listen(asked, place, lives.current);
  // The test's own server listens on a port.
  const { port } = outside.address() as AddressInfo;
  const caller = (token?: string): Call => stubbornCaller(lives.current, token);
  return {
    place,
    outside: `http://127.0.0.1:${port}`,
    asked,
    caller,
    ...lives,
    async until(promotion, status) {
      let seen = '';
      const isThere = async (): Promise<boolean> => {
        seen = (await caller()('getPromotion', { parameters: { promotion } })).status;
        return seen === status;
      };
      await waitFor(isThere, { timeoutMs: STEP_TIMEOUT_MS, why: `${promotion} becomes ${status}` }).catch(
        (error: unknown) => {
          throw new Error(`it is ${seen}`, { cause: error });
        },
      );
    },
    asOwner: (text) => asOwner(place, text),
    hold: (promotion) => hold(place, promotion),
    async operationsOf(name, promotion) {
      const folder = join(place.targets, name, '.stella', 'operations');
      // Nothing was ever deployed there.
      if (!existsSync(folder)) return [];
      const records = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')));
      return records
        .map((text) => String((JSON.parse(text) as { operationId?: unknown }).operationId))
        .filter((operationId) => operationId.startsWith(promotion));
    },
    async remove() {
      lives.close();
      outside.close();
      outside.closeAllConnections();
      await place.remove();
    },
  };
}

/** Passes every gate; what runs in an environment is healthy when it is `odd`. */
async function listen(asked: string[], { targets }: ServerPlace, current: Lives['current']): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/callback') request.resume();
    response.setHeader('content-type', 'application/json');
    const [, name] = /^\/health\/([a-z0-9-]+)$/.exec(request.url ?? '') ?? [];
    if (name !== undefined) {
      const isIll = readFileSync(join(targets, name, 'current', 'index.html'), 'utf8').includes('even');
      response.writeHead(isIll ? 500 : 200).end('{}');
      return;
    }
    asked.push(String(request.headers['idempotency-key'] ?? request.headers['webhook-id']));
    if (request.url === '/callback') {
      void readText(request).then((body) => callBack(current, body));
      response.writeHead(202).end();
      return;
    }
    if (request.url === '/undecided') response.statusCode = 500;
    response.end('{"verdict":"passed","message":"tested"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Says yes until that was taken, or is of no use; each server has another port. */
async function callBack(current: Lives['current'], question: string): Promise<void> {
  const { callback, ...asked } = JSON.parse(question) as { callback: { url: string }; operationId: string };
  const body = JSON.stringify({ ...asked, verdict: 'passed' });
  const endsAtMs = performance.now() + STEP_TIMEOUT_MS;
  while (performance.now() < endsAtMs) {
    const signed = signatureHeaders(Buffer.from(SECRET), { id: asked.operationId, atMs: Date.now(), body });
    const url = new URL(new URL(callback.url).pathname, (await current()).url);
    const headers = { 'content-type': 'application/json', ...signed };
    const given = { method: 'POST', headers, body, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
    const status = await fetch(url, given).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200 || status === 409) return;
    await pause(nodeClock, REPEAT_MS);
  }
}

interface Lives extends Pick<CrashStage, 'deathCount' | 'arm' | 'restart'> {
  /** The server that lives, or will when it was started again. */
  readonly current: () => Promise<ServerProcess>;
  readonly close: () => void;
}

async function makeLives(place: ServerPlace): Promise<Lives> {
  let deathCount = 0;
  let isClosed = false;
  let next: Fault[] = [];
  let current: Promise<ServerProcess>;
  const start = async (): Promise<ServerProcess> => {
    const fault = next.shift();
    try {
      const server = await startServerProcess(place, { env: SOON, ...(fault && { fault }) });
      void server.ended.then((how) => {
        if (how !== 'SIGKILL' || isClosed) return;
        deathCount += 1;
        current = start();
      });
      return server;
    } catch (error) {
      // It was to die before it could serve.
      if (!fault || !(error instanceof Error) || !error.message.includes('SIGKILL')) throw error;
      deathCount += 1;
      return start();
    }
  };
  current = start();
  await current;
  return {
    current: () => current,
    deathCount: () => deathCount,
    close: () => {
      isClosed = true;
    },
    async arm(...faults) {
      deathCount = 0;
      const [first, ...rest] = faults;
      next = rest;
      if (first) await (await current).arm(first);
    },
    async restart(...faults) {
      const server = await current;
      deathCount = 0;
      next = [...faults];
      await server.stop();
      // A server that was to die while it stops was started again by its death.
      if ((await server.ended) !== 'SIGKILL') current = start();
      await current;
    },
  };
}

let keyCount = 0;

/** The same key for each try of a call, so that it takes effect once. */
function stubbornCaller(current: () => Promise<ServerProcess>, token: string | undefined): Call {
  return async (name, options = {}) => {
    keyCount += 1;
    const idempotencyKey = `crash-${keyCount}`;
    const endsAtMs = performance.now() + STEP_TIMEOUT_MS;
    // Until the deadline.
    for (;;) {
      const server = await current();
      try {
        const client = makeClient({ server: server.url, token: token ?? server.token, timeoutMs: CALL_TIMEOUT_MS });
        return await client.call(name, { idempotencyKey, ...options });
      } catch (error) {
        const isUnclear = UNCLEAR.some((code) => isAppError(error, code));
        if (!isUnclear || performance.now() > endsAtMs) throw error;
        // A dead server's end is told by an event; until then calls fail at once.
        await pause(nodeClock, REPEAT_MS);
      }
    }
  };
}

async function hold(place: ServerPlace, promotion: string): Promise<() => Promise<void>> {
  const client = await connect(place);
  await client.query('begin');
  await client.query('select id from stella.promotions where id = $1 for update', [promotion]);
  return () => client.end();
}

async function connect(place: ServerPlace): Promise<pg.Client> {
  const client = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await client.connect();
  return client;
}

async function asOwner(place: ServerPlace, text: string): ReturnType<CrashStage['asOwner']> {
  const client = await connect(place);
  try {
    await client.query('set search_path = stella');
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

export interface EnvironmentWish {
  readonly name: string;
  /** Approvals that are wanted; 0: no such gate. */
  readonly approvals?: number;
  /** Two persons may step around the approvals. */
  readonly isSkippable?: boolean;
  readonly hasHealth?: boolean;
  readonly queue?: 'fifo' | 'latest';
  /** Its gate takes the question, and calls back. */
  readonly isCalledBack?: boolean;
  /** Its gate says neither yes nor no. */
  readonly isUndecided?: boolean;
}

/** YAML of an environment with a gate that passes, and a target of its own. */
export async function environment(stage: CrashStage, wish: EnvironmentWish): Promise<string> {
  const { name, approvals = 0, isSkippable = false, hasHealth = false, queue = 'fifo' } = wish;
  const directory = join(stage.place.targets, name);
  await mkdir(directory, { recursive: true });
  const { isUndecided = false, isCalledBack = false } = wish;
  const path = isUndecided ? 'undecided' : isCalledBack ? 'callback' : 'tests';
  const mode = isCalledBack ? ', mode: callback, secret: env:STELLA_SECRET_TESTS' : '';
  const skip = isSkippable ? ', skip: allowed' : '';
  const approval = `  - { name: sign, kind: approval, count: ${approvals}${skip} }\n`;
  const health = `, health: { url: "${stage.outside}/health/${name}", deadline: 5s, interval: 200ms, threshold: 1 }`;
  return `kind: Environment
name: ${name}
queue: ${queue}
gates:
  - { name: tests, kind: http, url: "${stage.outside}/${path}", retries: 0${mode} }
${approvals > 0 ? approval : ''}targets:
  - { name: web, kind: files, component: web, directory: ${directory}${hasHealth ? health : ''} }
`;
}

/** Nothing was lost, nothing was done twice, nothing is held any more. */
export async function checkTraces(stage: CrashStage, name: string, promotion: string): Promise<void> {
  const call = stage.caller();
  expect((await call('listLocks', { query: { environment: name } })).items).toEqual([]);
  const { items: events } = await call('tracePromotion', { parameters: { promotion } });
  expect(events.map((event) => event.promotionSeq)).toEqual(events.map((_, index) => index + 1));
  const operations = await stage.operationsOf(name, promotion);
  expect(new Set(operations).size).toBe(operations.length);
  const { items: runs } = await call('listGateRuns', { parameters: { promotion } });
  const known = runs.flatMap((run) => run.attempts.map((attempt) => attempt.operationId));
  const ours = stage.asked.filter((operation) => operation.startsWith(promotion));
  expect(known).toEqual(expect.arrayContaining([...new Set(ours)]));
}
