/**
 * The Docker Engine API over one stream: `docker-modem` on an agent that hands out that stream and no other, and keeps it
 * open between requests. Every answer is read and parsed here, up to a limit; the credentials of a registry are put into the head of the request
 * below the library, which can be told to log what it sends.
 */
import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { addAbortSignal, type Duplex } from 'node:stream';
import Modem from 'docker-modem';
import {
  CONTAINER_STATES,
  type ContainerState,
  type DockerEngine,
  type EngineContainer,
  EngineFailure,
  type EngineImage,
} from '../ports/docker-engine.ts';
import type { RegistryLogin } from '../ports/registry-credentials.ts';
import { nodeClock } from './node-clock.ts';

/** A busy engine needs seconds to create a container; more than this says that it hangs. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Beyond the time that a container has to stop. */
const STOP_MARGIN_MS = 15_000;
/** Of one answer: a container takes 20,000, the list of all that have some labels the most. */
const ANSWER_LENGTH_MAX = 8_388_608;
/** Of an answer that says no in another form than the engine's own. */
const REFUSAL_LENGTH_MAX = 500;
/** Of one line of a pull's progress. */
const LINE_LENGTH_MAX = 65_536;
/** A health check's output is kept by the engine up to 4,096 bytes. */
const OUTPUT_LENGTH_MAX = 300;
/** Newest API that was tested; engines speak older ones for years. */
const API_VERSION_MAX = [1, 47] as const;

export function openDockerEngine(stream: Duplex, signal: AbortSignal): DockerEngine {
  const agent = new StreamAgent(stream);
  const close = (): void => {
    agent.destroy();
    stream.destroy();
  };
  if (signal.aborted) close();
  else signal.addEventListener('abort', close, { once: true });
  // Its other half would take requests that nobody answers.
  stream.once('end', close);
  const wire = new Wire(agent, signal);
  return {
    async facts() {
      const told = asRecord(await wire.ask('GET', '/version'));
      return {
        version: textOf(told, 'Version'),
        apiVersion: textOf(told, 'ApiVersion'),
        os: textOf(told, 'Os'),
        architecture: textOf(told, 'Arch'),
      };
    },
    storePath: async () => textOf(asRecord(await wire.ask('GET', '/info')), 'DockerRootDir'),
    findImage: (reference) => orNull(async () => toImage(await wire.ask('GET', `/images/${reference}/json`))),
    pull: (repository, digest, login) => wire.pull(repository, digest, login),
    async list(labels) {
      const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
      const query = { all: true, filters: JSON.stringify({ label }) };
      return asList(await wire.ask('GET', '/containers/json?', { query })).map((one) => textOf(asRecord(one), 'Id'));
    },
    inspect: (container) => orNull(async () => toContainer(await wire.ask('GET', `/containers/${container}/json`))),
    async create(name, spec) {
      return textOf(asRecord(await wire.ask('POST', '/containers/create?', { query: { name }, body: spec })), 'Id');
    },
    start: async (id) => void (await wire.ask('POST', `/containers/${id}/start`)),
    async stop(id, timeoutMs) {
      const query = { t: Math.ceil(timeoutMs / 1_000) };
      await wire.ask('POST', `/containers/${id}/stop?`, { query, timeoutMs: timeoutMs + STOP_MARGIN_MS });
    },
    rename: async (id, name) => void (await wire.ask('POST', `/containers/${id}/rename?`, { query: { name } })),
    remove: async (id) =>
      void (await orNull(() => wire.ask('DELETE', `/containers/${id}?`, { query: { force: true, v: true } }))),
    close() {
      signal.removeEventListener('abort', close);
      close();
    },
  };
}

/** Hands out one stream, once; a second connection there is none. */
class StreamAgent extends Agent {
  /** Added to the next request that is made. */
  secretHeaders: Readonly<Record<string, string>> = {};
  private readonly stream: Duplex;
  private isTaken = false;

  constructor(stream: Duplex) {
    super({ keepAlive: true, maxSockets: 1 });
    this.stream = stream;
  }

  override createConnection(_options: unknown, answer?: (error: Error, stream: Duplex) => void): Duplex | undefined {
    const { stream, isTaken } = this;
    this.isTaken = true;
    // Node takes what it reuses for a socket, which could keep the process alive or not.
    if (!isTaken && !stream.destroyed) return Object.assign(stream, { ref: () => stream });
    // Node also asks by itself, when a stream ends while a request waits for it: thrown then, it would end the process.
    answer?.(new EngineFailure(null, 'the connection to the engine has ended'), stream);
    return undefined;
  }

  // Node's own asks for a socket of TCP, which this is not.
  override keepSocketAlive(): boolean {
    return true;
  }

  /** Called by Node for each request, before its head is sent. */
  addRequest(request: ClientRequest, ...rest: unknown[]): void {
    for (const [name, value] of Object.entries(this.secretHeaders)) request.setHeader(name, value);
    this.secretHeaders = {};
    // The method of the parent is older than its types, which leave it out.
    (Agent.prototype as unknown as { addRequest: (...given: unknown[]) => void }).addRequest.call(
      this,
      request,
      ...rest,
    );
  }
}

type Method = 'GET' | 'POST' | 'DELETE';

interface Question {
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** 304: it is as it was asked to be. */
const GOOD: ReadonlySet<number> = new Set([200, 201, 204, 304]);

class Wire {
  private readonly agent: StreamAgent;
  private readonly signal: AbortSignal;
  private modem: Promise<Modem> | null = null;
  private latest: Promise<unknown> = Promise.resolve();

  constructor(agent: StreamAgent, signal: AbortSignal) {
    this.agent = agent;
    this.signal = signal;
  }

  ask(method: Method, path: string, { query, body, timeoutMs }: Question = {}): Promise<unknown> {
    return this.inTurn(async () => {
      const modem = await this.versioned();
      const signal = this.deadline(timeoutMs);
      const options = { _query: query ?? {}, _body: body ?? {} };
      return readAnswer(await dial(modem, { method, path, options, signal }));
    });
  }

  pull(repository: string, digest: string, login: RegistryLogin | null): Promise<void> {
    return this.inTurn(async () => {
      const modem = await this.versioned();
      if (login) this.agent.secretHeaders = { 'X-Registry-Auth': encodeLogin(login, repository) };
      const options = { _query: { fromImage: repository, tag: digest }, _body: {} };
      const { signal } = this;
      await readProgress(await dial(modem, { method: 'POST', path: '/images/create?', options, signal }));
    });
  }

  /** What waits for the stream in Node's agent when that ends gets no answer, and no deadline. */
  private inTurn<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    const answer = this.latest.then(run);
    this.latest = answer.catch(() => undefined);
    return answer;
  }

  private deadline(timeoutMs = REQUEST_TIMEOUT_MS): AbortSignal {
    return AbortSignal.any([this.signal, nodeClock.timeoutSignal(timeoutMs)]);
  }

  /** Without a version in its path an engine answers by its newest API, which we may not know. */
  private versioned(): Promise<Modem> {
    this.modem ??= this.agree();
    return this.modem;
  }

  private async agree(): Promise<Modem> {
    // The path is never used: the agent has the stream. Without one the library asks the environment for an address.
    const common = { socketPath: '/dev/null', agent: this.agent };
    const asking = { method: 'GET', path: '/version', signal: this.deadline() } as const;
    const told = asRecord(await readAnswer(await dial(new Modem(common), asking)));
    const newest = textOf(told, 'ApiVersion');
    const { MinAPIVersion: oldest } = told;
    const mayBeOurs = isAbove(newest) && !(typeof oldest === 'string' && isAbove(oldest));
    return new Modem({ ...common, version: `v${mayBeOurs ? API_VERSION_MAX.join('.') : newest}` });
  }
}

/** Newer than the newest API that we know. */
function isAbove(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMax, minorMax] = API_VERSION_MAX;
  return major > majorMax || (major === majorMax && minor > minorMax);
}

/** Every status is an answer to the library, which would else read without a limit what comes with a no. */
const EVERY_STATUS = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [index + 100, true]));

interface Dialled {
  readonly method: Method;
  readonly path: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

/** The head of the answer; its body ends with the signal too. */
async function dial(modem: Modem, { method, path, options, signal }: Dialled): Promise<IncomingMessage> {
  const given = { method, path, options, statusCodes: EVERY_STATUS, isStream: true, abortSignal: signal };
  const answer = await new Promise<unknown>((resolve, reject) => {
    modem.dial(given, (error, found) => (error ? reject(toFailure(error)) : resolve(found)));
  });
  // `isStream` makes it the response itself.
  return addAbortSignal(signal, answer as IncomingMessage);
}

function toFailure(error: unknown): EngineFailure {
  if (error instanceof EngineFailure) return error;
  return new EngineFailure(null, error instanceof Error ? error.message : String(error), error);
}

/** Null for an answer without a body. */
async function readAnswer(response: IncomingMessage): Promise<unknown> {
  const text = await readText(response);
  const { statusCode: status = 0 } = response;
  if (!GOOD.has(status)) throw new EngineFailure(status, refusalIn(text) || `status ${status}`);
  if (text === '') return null;
  const told = parsed(text);
  if (told === undefined) throw bad('what is no JSON');
  return told;
}

/** Rejects also when the stream ends within the body, which the library leaves without a word. */
async function readText(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > ANSWER_LENGTH_MAX) throw bad(`more than ${ANSWER_LENGTH_MAX} characters`);
    }
  } catch (error) {
    throw toFailure(error);
  }
  return text;
}

function refusalIn(text: string): string {
  const told = parsed(text);
  const message = isRecord(told) && typeof told['message'] === 'string' ? told['message'] : text;
  return message.trim().slice(0, REFUSAL_LENGTH_MAX);
}

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function orNull<Answer>(ask: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof EngineFailure && error.status === 404) return null;
    throw error;
  }
}

/** One JSON object a line; what goes wrong after the head was sent stands in one of them. */
async function readProgress(response: IncomingMessage): Promise<void> {
  if (!GOOD.has(response.statusCode ?? 0)) return void (await readAnswer(response));
  let rest = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LENGTH_MAX) throw new EngineFailure(null, 'the engine sends no lines');
      for (const line of lines) checkProgress(line);
    }
    checkProgress(rest);
  } catch (error) {
    throw toFailure(error);
  }
}

function checkProgress(line: string): void {
  if (line.trim() === '') return;
  const told = parsed(line);
  if (told === undefined) throw bad('what is no JSON');
  if (isRecord(told) && typeof told['error'] === 'string') throw new EngineFailure(500, told['error']);
}

/** Docker Engine API, "Authentication": base64 for URLs, with its padding; without, an engine takes it for no login. */
function encodeLogin(login: RegistryLogin, repository: string): string {
  const [serveraddress = ''] = repository.split('/');
  const value =
    'token' in login
      ? { registrytoken: login.token }
      : { username: login.username, password: login.password, serveraddress };
  const text = Buffer.from(JSON.stringify(value)).toString('base64');
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

function toImage(told: unknown): EngineImage {
  const image = asRecord(told);
  const config = isRecord(image['Config']) ? image['Config'] : {};
  const test = isRecord(config['Healthcheck']) ? config['Healthcheck']['Test'] : null;
  return {
    id: textOf(image, 'Id'),
    repoDigests: asTexts(image['RepoDigests'] ?? []),
    hasHealthCheck: Array.isArray(test) && test.length > 0 && test[0] !== 'NONE',
  };
}

function toContainer(told: unknown): EngineContainer {
  const container = asRecord(told);
  const state = asRecord(container['State']);
  const config = asRecord(container['Config']);
  const health = isRecord(state['Health']) ? state['Health'] : null;
  const status = health === null ? 'none' : health['Status'];
  const log = health !== null && Array.isArray(health['Log']) ? health['Log'] : [];
  const last: unknown = log.at(-1);
  return {
    id: textOf(container, 'Id'),
    name: textOf(container, 'Name').replace(/^\//, ''),
    imageId: textOf(container, 'Image'),
    labels: Object.fromEntries(
      Object.entries(asRecord(config['Labels'] ?? {})).map(([name, value]) => [name, String(value)]),
    ),
    state: toState(state['Status']),
    startedAt: textOf(state, 'StartedAt'),
    exitCode: typeof state['ExitCode'] === 'number' ? state['ExitCode'] : 0,
    error: typeof state['Error'] === 'string' ? state['Error'] : '',
    health: status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : 'none',
    healthOutput:
      isRecord(last) && typeof last['Output'] === 'string' ? last['Output'].trim().slice(0, OUTPUT_LENGTH_MAX) : '',
  };
}

function toState(told: unknown): ContainerState {
  const state = CONTAINER_STATES.find((one) => one === told);
  if (state === undefined) throw bad(`a container in the state "${String(told).slice(0, 40)}"`);
  return state;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

function asRecord(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw bad('what is no object');
  return value;
}

function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw bad('what is no list');
  return value;
}

function asTexts(value: unknown): readonly string[] {
  return asList(value).map((one) => String(one));
}

function textOf(record: Readonly<Record<string, unknown>>, key: string): string {
  const value = record[key];
  if (typeof value !== 'string') throw bad(`no text for "${key}"`);
  return value;
}

function bad(what: string): EngineFailure {
  return new EngineFailure(null, `the engine answered ${what}`);
}
