/**
 * The typed client. Knows the route table but not the schemas: it trusts its server, and starts fast. Every call has a
 * deadline; errors of the server come back as the same `AppError` that it threw.
 */
import { AppError, ERROR_CODES, type ErrorCode } from '@stella/domain/client';
import type { Answer, BodyInput, QueryInput } from './route-schemas.ts';
import {
  API_HEADER,
  API_VERSION,
  IDEMPOTENCY_HEADER,
  type Route,
  ROUTES,
  type RouteName,
  type RouteParameters,
  routePath,
} from './routes.ts';

/** An answer of the API is never larger. */
const ANSWER_BYTES_MAX = 64 * 1_048_576;

export interface ClientOptions {
  /** `http://127.0.0.1:8484` */
  readonly server: string;
  readonly token: string | null;
  readonly timeoutMs: number;
}

export interface CallOptions<Name extends RouteName> {
  readonly parameters?: RouteParameters<Name>;
  readonly query?: QueryInput<Name>;
  readonly body?: BodyInput<Name>;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

export interface StreamedEvent {
  readonly id: string;
  readonly data: Answer<'streamEvents'>;
}

export interface Client {
  call<Name extends RouteName>(name: Name, options?: CallOptions<Name>): Promise<Answer<Name>>;
  /** Events as they come, until the signal aborts or the server ends it. Throws like `call`. */
  stream(options: CallOptions<'streamEvents'> & { readonly signal: AbortSignal }): AsyncIterable<StreamedEvent>;
}

export function makeClient(options: ClientOptions): Client {
  return {
    async call<Name extends RouteName>(name: Name, call: CallOptions<Name> = {}): Promise<Answer<Name>> {
      const answer = await send(options, name, call);
      const text = await readText(answer);
      if (answer.status >= 400) throw toError(answer.status, text, options.server);
      refuseStranger(answer);
      // Our own server's answer to our own request.
      return JSON.parse(text) as Answer<Name>;
    },
    stream: (call) => streamEvents(options, call),
  };
}

interface RawAnswer {
  readonly status: number;
  /** Of the API; null when who answered has none. */
  readonly api: string | null;
  readonly body: AsyncIterable<Uint8Array>;
}

async function send<Name extends RouteName>(
  { server, token, timeoutMs }: ClientOptions,
  name: Name,
  call: CallOptions<Name>,
): Promise<RawAnswer> {
  const route: Route = ROUTES[name];
  const url = new URL(routePath(route.path, call.parameters ?? {}), server);
  // Members of a query are texts, numbers or booleans.
  const query = Object.entries((call.query ?? {}) as Readonly<Record<string, string | number | boolean | undefined>>);
  for (const [key, value] of query) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  const body = call.body === undefined ? null : JSON.stringify(call.body);
  const isStream = route.answers === 'events';
  // Loaded when it is needed: help starts without, and most reads without TLS.
  const { request } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'));
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: route.method,
        headers: {
          accept: isStream ? 'text/event-stream' : 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...(call.idempotencyKey === undefined ? {} : { [IDEMPOTENCY_HEADER]: call.idempotencyKey }),
        },
        ...(call.signal ? { signal: call.signal } : {}),
      },
      (answer) => {
        if (isStream) answer.on('close', () => clearTimeout(deadline));
        const api = answer.headers[API_HEADER];
        resolve({ status: answer.statusCode ?? 0, api: typeof api === 'string' ? api : null, body: answer });
      },
    );
    const deadline = setTimeout(() => {
      sent.destroy(new AppError('request.timeout', { details: { timeoutMs } }));
    }, timeoutMs);
    sent.on('response', () => {
      if (isStream) clearTimeout(deadline);
    });
    sent.on('close', () => clearTimeout(deadline));
    sent.on('error', (error: NodeJS.ErrnoException) => {
      reject(error instanceof AppError ? error : unreachable(server, error));
    });
    sent.end(body ?? undefined);
  });
}

/** A certificate that is not trusted has a cure of its own. */
const TLS_CODES = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

function unreachable(server: string, error: NodeJS.ErrnoException): AppError {
  const hint = TLS_CODES.test(error.code ?? '')
    ? { hint: 'name it as its certificate does, and trust its authority: NODE_EXTRA_CA_CERTS=<ca.pem> stella …' }
    : {};
  const details = { server, message: error.code ?? error.message };
  return new AppError('server.unreachable', { details, cause: error, ...hint });
}

function refuseStranger({ api }: RawAnswer): void {
  if (api === API_VERSION) return;
  throw new AppError('server.version', { details: { found: api ?? 'unknown', known: API_VERSION } });
}

async function readText({ body }: RawAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > ANSWER_BYTES_MAX) throw new AppError('internal', { details: { message: 'the answer is too large' } });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toError(status: number, text: string, server: string): AppError {
  let problem: {
    code?: string;
    details?: Record<string, unknown>;
    next?: { title: string; command: string | null }[];
    requestId?: string;
    detail?: string;
  };
  try {
    // Our own server's problem; each member may be missing.
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // Something else answered in its place.
    return new AppError('server.unreachable', {
      details: { server, message: `status ${status} without an explanation` },
    });
  }
  const { code, details = {}, next = [], requestId, detail } = problem;
  if (code === undefined || !(code in ERROR_CODES)) {
    return new AppError('internal', { details: { message: detail ?? `status ${status}`, requestId } });
  }
  const [first] = next;
  const hint = first === undefined ? {} : { hint: first.title };
  // Looked up in the registry just above.
  return new AppError(code as ErrorCode, { details: { ...details, requestId }, ...hint });
}

async function* streamEvents(options: ClientOptions, call: CallOptions<'streamEvents'>): AsyncGenerator<StreamedEvent> {
  const answer = await send(options, 'streamEvents', call);
  if (answer.status >= 400) throw toError(answer.status, await readText(answer), options.server);
  refuseStranger(answer);
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event) yield event;
    }
  }
}

/** One block of a stream (HTML standard, "Server-sent events"); comments keep the connection alive. */
function parseBlock(block: string): StreamedEvent | null {
  let id = '';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    if (line.startsWith('data: ')) data += line.slice(6);
  }
  // Our own server's event.
  return data === '' ? null : { id, data: JSON.parse(data) as StreamedEvent['data'] };
}
