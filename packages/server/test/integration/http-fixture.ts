/** What the tests of the API share: one real server with its embedded PostgreSQL, people, a release and environments. */
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Client, makeClient } from '@stella/contract/client';
import {
  adminClient,
  makeServerPlace,
  type ServerPlace,
  type ServerProcess,
  startServerProcess,
  waitFor,
  writeOciLayout,
} from '@stella/testkit';
import { expectNoViolations } from './no-violations.ts';

/** Of one request, and of one status: on a busy machine. */
const TIMEOUT_MS = 60_000;

export interface TestServer {
  readonly place: ServerPlace;
  readonly server: ServerProcess;
  readonly admin: Client;
  remove(): Promise<void>;
}

export async function startTestServer(
  env: Readonly<Record<string, string>> = {},
  order: { readonly role?: 'all' | 'api' } = {},
): Promise<TestServer> {
  const place = await makeServerPlace();
  const server = await startServerProcess(place, { env, ...order });
  const remove = async (): Promise<void> => {
    try {
      await expectNoViolations(place);
    } finally {
      await place.remove();
    }
  };
  return { place, server, admin: adminClient(server), remove };
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; the text when it is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface RawRequest {
  readonly method?: 'GET' | 'POST';
  readonly token?: string | null;
  /** A text is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request as any program may send it, past the typed client. */
export async function ask({ url, token }: ServerProcess, path: string, request: RawRequest = {}): Promise<Answered> {
  const credential = request.token === undefined ? token : request.token;
  const hasBody = request.body !== undefined;
  const response = await fetch(`${url}${path}`, {
    method: request.method ?? (hasBody ? 'POST' : 'GET'),
    headers: {
      ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...request.headers,
    },
    ...(hasBody ? { body: typeof request.body === 'string' ? request.body : JSON.stringify(request.body) } : {}),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  // Looked at by each test, member by member.
  const body = (isJson ? JSON.parse(text) : { text }) as Readonly<Record<string, unknown>>;
  return { status: response.status, headers: response.headers, body };
}

/** A person enrolled the regular way, with the token of the login. */
export async function enrol(
  { server, admin }: TestServer,
  subject: string,
  ...roles: readonly string[]
): Promise<{ readonly token: string; readonly client: Client }> {
  const { code } = await admin.call('createPerson', { body: { subject, roles: [...roles] } });
  const { token } = await makeClient({ server: server.url, token: null, timeoutMs: TIMEOUT_MS }).call('login', {
    body: { code },
  });
  return { token, client: makeClient({ server: server.url, token, timeoutMs: TIMEOUT_MS }) };
}

export interface EnvironmentYaml {
  readonly name: string;
  readonly promotesFrom?: readonly string[];
  /** Lines of YAML below `gates:`. */
  readonly gates?: readonly string[];
  /** Further lines of YAML. */
  readonly more?: readonly string[];
}

/** Applies environments with one `files` target each. */
export async function applyEnvironments(
  { place, admin }: TestServer,
  environments: readonly EnvironmentYaml[],
): Promise<void> {
  await mkdir(place.targets, { recursive: true });
  const documents = environments.map(({ name, promotesFrom = [], gates = [], more = [] }) => ({
    file: `${name}.yaml`,
    text: [
      'kind: Environment',
      `name: ${name}`,
      `promotesFrom: [${promotesFrom.join(', ')}]`,
      ...(gates.length > 0 ? ['gates:', ...gates.map((line) => `  ${line}`)] : []),
      'targets:',
      `  - { name: web, kind: files, component: web, directory: ${join(place.targets, name)} }`,
      ...more,
      '',
    ].join('\n'),
  }));
  await admin.call('applyDefinitions', { body: { documents } });
}

/** Releases `shop-1`, `shop-2` … of real artifacts. */
export async function createReleases({ place, admin }: TestServer, count: number): Promise<void> {
  const tags = Array.from({ length: count }, (_, index) => String(index + 1));
  await writeOciLayout(
    place.layouts,
    tags.map((tag) => ({ tag, files: { 'index.html': `page ${tag}` } })),
  );
  for (const tag of tags) {
    await admin.call('createRelease', {
      body: { name: `shop-${tag}`, components: [{ name: 'web', artifact: `oci-layout:${place.layouts}:${tag}` }] },
    });
  }
}

export async function untilStatus(client: Client, promotion: string, ...wanted: readonly string[]): Promise<string> {
  let status = '';
  await waitFor(
    async () => {
      ({ status } = await client.call('getPromotion', { parameters: { promotion } }));
      return wanted.includes(status);
    },
    { timeoutMs: TIMEOUT_MS, why: `${promotion} becomes ${wanted.join(' or ')}` },
  );
  return status;
}

export interface GateServer {
  readonly url: string;
  /** What it answers from now on. */
  answerWith(status: number, text: string): void;
  /** From now on it takes so long. */
  answerAfter(delayMs: number): void;
  close(): void;
}

/** A gate service that says what the test wants. */
export async function startGateServer(): Promise<GateServer> {
  let delayMs = 0;
  let reply = { status: 200, text: '{"verdict":"passed","message":"tested"}' };
  const server: Server = createServer((request, response) => {
    request.resume();
    const { status, text } = reply;
    setTimeout(() => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    }, delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    answerWith: (status, text) => {
      reply = { status, text };
    },
    answerAfter: (ms) => {
      delayMs = ms;
    },
    close: () => void server.close(),
  };
}
