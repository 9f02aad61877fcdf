/**
 * The API on Fastify: limits before anything else, then who calls, then the route. The route table is the policy table:
 * a route without policy, schema or handler keeps the server from starting (safety S15).
 */
import type { IncomingMessage } from 'node:http';
import {
  API_HEADER,
  API_VERSION,
  type RouteName,
  type Route,
  ROUTE_NAMES,
  ROUTE_SCHEMAS,
  ROUTES,
  REQUEST_ID_HEADER,
} from '@stella/contract';
import { ACTIONS, AppError } from '@stella/domain';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type RouteOptions } from 'fastify';
import { lazySerializer } from './answer-serializer.ts';
import { takeBytes, takeCallbackRequest } from './callback.ts';
import { streamEvents } from './event-stream.ts';
import { type AnsweringRoute, HANDLERS } from './handlers.ts';
import { registerHealth } from './health.ts';
import { BODY_BYTES_MAX, toProblem } from './problem.ts';
import { idempotencyKeyOf, identify, parseInput, REQUEST_TIMEOUT_MS, requestIdOf, seenVersionOf } from './request.ts';
import type { HttpDeps, RequestContext } from './route-handler.ts';
import { findRepeated, writeOnce } from './write.ts';

/** Connections at once, streams included; more are refused before a byte is read. */
const CONNECTIONS_MAX = 1_000;
const HEADER_BYTES_MAX = 16_384;
/** To send the whole head of a request; slower callers are cut off. */
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;

/** In PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface HttpServer {
  /** Answers the URL. Errors: `server.address_in_use`. */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  /** For new connections. */
  renewTls(tls: TlsMaterial): void;
  /** Takes no new requests, lets those under way end, ends streams. */
  close(): Promise<void>;
}

/** `tls` null: clear text. */
export function makeHttpServer(deps: HttpDeps, tls: TlsMaterial | null): HttpServer {
  const app = makeApp(deps, tls);
  app.server.maxConnections = CONNECTIONS_MAX;
  // Bodies are JSON and nothing else.
  app.removeContentTypeParser('text/plain');
  const closing = new AbortController();
  registerErrors(app, deps);
  registerHealth(app, deps);
  for (const name of ROUTE_NAMES) {
    if (name === 'takeCallback') registerCallback(app, deps);
    else registerRoute(app, deps, { name, closing: closing.signal });
  }
  return {
    listen: (address) => listen(app, address),
    renewTls(renewed) {
      if (speaksTls(app.server)) app.server.setSecureContext(renewed);
    },
    async close() {
      closing.abort();
      await app.close();
    },
  };
}

function makeApp(deps: HttpDeps, tls: TlsMaterial | null): FastifyInstance {
  const options = {
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: true,
    return503OnClosing: false,
    genReqId: (raw: IncomingMessage) => requestIdOf(raw.headers[REQUEST_ID_HEADER], () => deps.ids.next('req')),
    routerOptions: { maxParamLength: 300 },
  };
  const limits = { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADERS_TIMEOUT_MS };
  if (tls === null) return Fastify({ ...options, http: limits });
  const { cert, key } = tls;
  return Fastify({ ...options, https: { ...limits, cert, key } });
}

/** The common type of servers does not tell. */
function speaksTls(server: object): server is { setSecureContext(tls: TlsMaterial): void } {
  return 'setSecureContext' in server;
}

async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    // Node's own errors have a code; another value has none.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE') throw error;
    throw new AppError('server.address_in_use', { details: { address: `${host}:${port}` }, cause: error });
  }
}

function registerErrors(app: FastifyInstance, deps: HttpDeps): void {
  app.setErrorHandler((error, request, reply) => sendProblem(deps, request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const { method, url } = request;
    const path = url.slice(0, 200);
    return sendProblem(deps, request, reply, new AppError('route.not_found', { details: { method, path } }));
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header(REQUEST_ID_HEADER, request.id);
    reply.header(API_HEADER, API_VERSION);
    reply.header('cache-control', 'no-store');
    reply.header('x-content-type-options', 'nosniff');
  });
  app.addHook('onResponse', async (request, reply) => {
    deps.countRequest(request.routeOptions.url ?? 'unknown', reply.statusCode, reply.elapsedTime);
  });
}

function sendProblem(deps: HttpDeps, request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const problem = toProblem(error, request.id);
  if (problem.status >= 500 && problem.code === 'internal') {
    deps.logger.error({ error, requestId: request.id, route: request.routeOptions.url }, 'a request failed');
  }
  return reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((value: unknown) => JSON.stringify(value))
    .send(problem);
}

interface RouteOrder {
  readonly name: Exclude<RouteName, 'takeCallback'>;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
}

function registerRoute(app: FastifyInstance, deps: HttpDeps, { name, closing }: RouteOrder): void {
  const route: Route = ROUTES[name];
  refuseGap(name, route);
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    ...(name === 'streamEvents' ? {} : answersAs(name, route.status ?? 200)),
    // Input is parsed by zod in the handler, once the caller is known.
    validatorCompiler: () => () => true,
    handler: async (request, reply) => {
      const hangUp = hangUpSignal(request, reply, closing);
      if (name === 'streamEvents') return answerStream(deps, request, reply, hangUp);
      return answer(deps, { name, route, request, reply, hangUp });
    },
  });
}

/** In a scope of its own, where bodies stay the bytes that were signed. */
function registerCallback(app: FastifyInstance, deps: HttpDeps): void {
  const { method, path } = ROUTES.takeCallback;
  void app.register(async (scope) => {
    takeBytes(scope);
    scope.route({
      method,
      url: path.replace('{operation}', ':operation'),
      ...answersAs('takeCallback', 200),
      validatorCompiler: () => () => true,
      handler: (request, reply) => takeCallbackRequest(deps, request, reply),
    });
  });
}

/** Types say the same; this says it about what is really registered. */
function refuseGap(name: RouteName, route: Route): void {
  const hasPolicy = route.policy === 'public' || route.policy === 'token' || ACTIONS.includes(route.policy);
  const hasHandler = name === 'streamEvents' || name in HANDLERS;
  if (hasPolicy && hasHandler && name in ROUTE_SCHEMAS) return;
  throw new AppError('internal', { details: { message: `route ${name} has no policy, schema or handler` } });
}

/** Fastify asks for a serializer where there is a schema, which that one knows by itself. */
function answersAs(name: RouteName, status: number): Pick<RouteOptions, 'schema' | 'serializerCompiler'> {
  return { schema: { response: { [status]: {} } }, serializerCompiler: () => lazySerializer(name) };
}

interface Answering {
  readonly name: AnsweringRoute;
  readonly route: Route;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly hangUp: AbortSignal;
}

async function answer(deps: HttpDeps, { name, route, request, reply, hangUp }: Answering): Promise<unknown> {
  const caller = await identify(deps, route, request);
  const { query, body } = parseInput(ROUTE_SCHEMAS[name], request);
  const status = route.status ?? 200;
  const written = {
    actorId: caller?.personId ?? 'anonymous',
    route: `${route.method} ${request.url}`,
    body,
    idempotencyKey: idempotencyKeyOf(request),
    isDryRun: isDryRun(body),
    status,
    credential: request.headers.authorization ?? JSON.stringify(body),
  };
  const context = {
    caller,
    parameters: request.params,
    query,
    body,
    signal: AbortSignal.any([hangUp, deps.clock.timeoutSignal(REQUEST_TIMEOUT_MS)]),
    address: request.ip,
    seenVersion: seenVersionOf(request),
    setEtag: (etag: string) => void reply.header('etag', etag),
    write: (work: Parameters<RequestContext<'login'>['write']>[0], secretField?: string) =>
      writeOnce(deps, written, work, secretField),
    findRepeated: () => findRepeated(deps, written),
  };
  // The table's types pair each handler with its own route; the union over names cannot be expressed.
  const handler = HANDLERS[name] as (deps: HttpDeps, context: unknown) => Promise<object>;
  const value = await handler(deps, context);
  const etag = reply.getHeader('etag');
  if (route.method === 'GET' && etag !== undefined && request.headers['if-none-match'] === etag) {
    return reply.code(304).send();
  }
  return reply.code(status).send(value);
}

async function answerStream(
  deps: HttpDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<void> {
  const caller = await identify(deps, ROUTES.streamEvents, request);
  if (!caller) throw new AppError('auth.missing');
  const query = ROUTE_SCHEMAS.streamEvents.query.parse(parseInput(ROUTE_SCHEMAS.streamEvents, request).query);
  const promotionId = query.promotion === undefined ? null : await deps.reads.findPromotionId(query.promotion);
  const facts = await deps.reads.readFacts(deps.settings['stuck.after']);
  const resumed = /^\d{1,15}$/.exec(String(request.headers['last-event-id'] ?? ''))?.[0];
  const afterSeq = resumed === undefined ? (query.after ?? facts.lastSeq) : Number(resumed);
  await streamEvents(deps, reply, { caller, afterSeq, promotionId, signal });
}

function isDryRun(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'dryRun' in body && body.dryRun === true;
}

function hangUpSignal(request: FastifyRequest, reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const controller = new AbortController();
  request.raw.once('close', () => {
    if (!reply.raw.writableFinished && request.raw.destroyed && !request.raw.complete) controller.abort();
  });
  reply.raw.once('close', () => controller.abort());
  return AbortSignal.any([controller.signal, closing]);
}
