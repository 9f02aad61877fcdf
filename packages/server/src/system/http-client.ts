/**
 * The real outgoing HTTP, by undici. Addresses are checked when connecting, after the name was looked up, so that a name
 * that points elsewhere a moment later cannot get past the check. Redirects are never followed.
 */
import { lookup as dnsLookup } from 'node:dns';
import { isIP } from 'node:net';
import { createSecureContext, rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, request as undiciRequest } from 'undici';
import { type HttpClient, HttpFailure, type HttpFailureKind, type HttpRequest } from '../ports/http-client.ts';
import { type AddressCheck, makeAddressCheck } from './address-check.ts';
import { checkedLookup, forbidden } from './checked-lookup.ts';

/** Time to a connection; a request's own deadline may be shorter. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Idle connections are closed soon: gates and registries are asked rarely. */
const KEEP_ALIVE_MS = 4_000;
const HEADER_BYTES_MAX = 32_768;
/** Answers before the answer (status 1xx); one or two are usual, and without a bound they could go on until the deadline. */
const INTERIM_COUNT_MAX = 100;
/** Sets of connections by the certificates that are believed: as many as registries may be declared, and some that changed. */
const AGENT_COUNT_MAX = 60;

export interface HttpClientOptions {
  /** Ranges that may be connected to, as `127.0.0.0/8` or `::1/128`. Null: every address. */
  readonly allowedRanges: readonly string[] | null;
  /** How names are looked up, for tests; the system's way unless it is given. */
  readonly lookUp?: typeof dnsLookup;
}

export interface ClosableHttpClient extends HttpClient {
  close(): Promise<void>;
}

/** Throws `config.invalid` for a range that is none. */
export function makeHttpClient({ allowedRanges, lookUp = dnsLookup }: HttpClientOptions): ClosableHttpClient {
  const isAllowed = makeAddressCheck(allowedRanges);
  const lookup = checkedLookup(isAllowed, lookUp);
  const agents = new Map<string, Agent>();
  const agentFor = (ca: string): Agent => {
    const known = agents.get(ca);
    if (known) return known;
    const agent = makeAgent(lookup, ca);
    const [oldest] = agents;
    if (agents.size >= AGENT_COUNT_MAX && oldest) {
      agents.delete(oldest[0]);
      // Ends when the last of its requests has.
      oldest[1].close().catch(() => undefined);
    }
    agents.set(ca, agent);
    return agent;
  };
  return {
    request: (wanted) => perform(() => agentFor(wanted.ca ?? ''), isAllowed, wanted),
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

/** `ca` is read once: the world's authorities beside it would else be read for each connection. */
function makeAgent(lookup: ReturnType<typeof checkedLookup>, ca: string): Agent {
  const trust = ca === '' ? {} : { secureContext: createSecureContext({ ca: [...rootCertificates, ca] }) };
  return new Agent({
    connect: { lookup, timeout: CONNECT_TIMEOUT_MS, ...trust },
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
    pipelining: 1,
  });
}

async function perform(
  giveAgent: () => Agent,
  isAllowed: AddressCheck,
  wanted: HttpRequest,
): ReturnType<HttpClient['request']> {
  const url = new URL(wanted.url);
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !isAllowed(literal)) throw forbidden(literal);
  const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(wanted.timeoutMs)));
  const flood = new AbortController();
  const signal = AbortSignal.any([deadline, flood.signal, ...(wanted.signal ? [wanted.signal] : [])]);
  const translate = (error: unknown): HttpFailure => toFailure(error, { deadline, asked: wanted.signal });
  try {
    const answering = undiciRequest(url, {
      dispatcher: giveAgent(),
      method: wanted.method,
      headers: wanted.headers ?? {},
      body: wanted.body ?? null,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
      onInfo: countInterim(flood),
      // An answer too many, left in the connection, must not be taken for that of the next question.
      reset: wanted.method === 'POST',
    });
    const response = await unlessAborted(answering, signal);
    return {
      status: response.statusCode,
      headers: Object.fromEntries(
        Object.entries(response.headers).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.join(', ') : (value ?? ''),
        ]),
      ),
      body: leavable(limited(response.body, wanted.responseBytesMax, translate), () => {
        // Ends the connection; that nobody read the answer is no error.
        response.body.on('error', () => undefined).destroy();
      }),
    };
  } catch (error) {
    throw translate(error);
  }
}

function countInterim(flood: AbortController): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count <= INTERIM_COUNT_MAX || flood.signal.aborted) return;
    flood.abort(
      new HttpFailure('protocol', `more than ${INTERIM_COUNT_MAX} answers of status 1xx came before the answer`),
    );
  };
}

/** undici heeds a signal only once it is connected; who hangs before that is not waited for here. */
function unlessAborted(
  answering: Promise<Dispatcher.ResponseData>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('the signal aborted', { cause: signal.reason }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void answering.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function* limited(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
  translate: (error: unknown) => HttpFailure,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > bytesMax) throw new HttpFailure('too_large', `the answer is larger than ${bytesMax} bytes`);
      yield chunk;
    }
  } catch (error) {
    throw translate(error);
  }
}

/** A generator that was never started runs none of its code when it is returned; `close` does its part then. */
function leavable(chunks: AsyncGenerator<Uint8Array>, close: () => void): AsyncIterable<Uint8Array> {
  let isStarted = false;
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => {
      isStarted = true;
      return chunks.next();
    },
    return: () => {
      if (!isStarted) close();
      return chunks.return(undefined);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

const KIND_BY_CODE: Readonly<Record<string, HttpFailureKind>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  EADDRNOTAVAIL: 'connect',
  ETIMEDOUT: 'connect',
  UND_ERR_CONNECT_TIMEOUT: 'connect',
  UND_ERR_SOCKET: 'reset',
  UND_ERR_HEADERS_OVERFLOW: 'too_large',
};

function toFailure(error: unknown, signals: { deadline: AbortSignal; asked: AbortSignal | undefined }): HttpFailure {
  if (error instanceof HttpFailure) return error;
  if (signals.asked?.aborted) return new HttpFailure('aborted', 'the call was given up', error);
  if (signals.deadline.aborted) return new HttpFailure('timeout', 'no whole answer in time', error);
  const { code, cause, message, errors } = describe(error);
  if (cause instanceof HttpFailure) return cause;
  const inner = errors?.find((one): one is HttpFailure => one instanceof HttpFailure);
  if (inner) return inner;
  if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return new HttpFailure('tls', message, error);
  }
  return new HttpFailure(KIND_BY_CODE[code] ?? 'protocol', message, error);
}

function describe(error: unknown): { code: string; cause: unknown; message: string; errors?: readonly unknown[] } {
  if (!(error instanceof Error)) return { code: '', cause: null, message: String(error) };
  // Errors of sockets have a code, and several may come as one; both are asked for, not trusted.
  const { code } = error as NodeJS.ErrnoException;
  const errors = error instanceof AggregateError ? { errors: error.errors as readonly unknown[] } : {};
  return { code: code ?? '', cause: error.cause, message: error.message || (code ?? error.name), ...errors };
}
