/**
 * Gate kind `http`: POSTs the question and takes `{"verdict":"passed"|"failed","message"?}` with status 200 for an answer.
 * A gate that polls lets the service say that it needs time, and asks the same question again within the attempt. One with
 * a callback only hands the question over, signed, and takes 202 for "taken"; its verdict comes by `http/callback.ts`.
 * Everything else is an error, and errors close: also an answer that readers could understand in two ways, or that
 * repeats a part of the question with another value.
 */
import { type ErrorCode, type HttpGateDefinition, canonicalJson, type Json } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { Secrets } from '../ports/secrets.ts';
import { signatureHeaders } from '../webhooks/webhook-signature.ts';
import type { GateAnswer, GateCall, GateEvaluator, GateQuestion } from '../ports/gate.ts';
import { error, NO_VERDICT, parseAnswer } from './parse-answer.ts';
import {
  type HttpClient,
  HttpFailure,
  type HttpFailureKind,
  type HttpRequest,
  type HttpResponse,
  readBody,
} from '../ports/http-client.ts';

/** A verdict is small; a service that answers more is broken or hostile. */
const RESPONSE_BYTES_MAX = 65_536;

/** What a service has said: an answer, or that it needs time. */
type Said = GateAnswer | Pending;

interface Pending {
  readonly outcome: 'pending';
  /** As the service asks for; 0: as the definition says. */
  readonly retryAfterMs: number;
}

export interface HttpGateDeps {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly secrets: Pick<Secrets, 'read'>;
  /** Where services reach this server, as soon as it listens; null: it does not, and nobody has said where others do. */
  readonly callbackUrl: Promise<string | null>;
}

export function makeHttpGate(deps: HttpGateDeps): GateEvaluator<HttpGateDefinition> {
  return {
    async evaluate(definition, question, call) {
      try {
        return definition.callback === undefined
          ? await askUntilAnswered(deps, definition, question, call)
          : await askForCallback(deps, definition, question, call);
      } catch (cause) {
        return fromFailure(cause, call.timeoutMs);
      }
    },
  };
}

/** Ends by the attempt's deadline, however often the service needs more time. */
async function askUntilAnswered(
  deps: HttpGateDeps,
  definition: HttpGateDefinition,
  question: GateQuestion,
  { signal, timeoutMs }: GateCall,
): Promise<GateAnswer> {
  const { clock } = deps;
  const endMs = clock.monotonicMs() + timeoutMs;
  for (let leftMs = timeoutMs; leftMs > 0; leftMs = endMs - clock.monotonicMs()) {
    const said = await askOnce(deps, definition, question, { signal, timeoutMs: leftMs });
    if (said.outcome !== 'pending') return said;
    const pauseMs = Math.max(said.retryAfterMs, definition.pollIntervalMs ?? 0);
    // The rest of the attempt is waited for, too: its deadline is what people have been told.
    await pause(clock, Math.min(pauseMs, Math.max(0, endMs - clock.monotonicMs())), signal);
    if (signal.aborted) return error('gate.error', 'the attempt was aborted while its answer was pending');
  }
  return { outcome: 'timeout', code: 'gate.timeout', message: `still pending after ${timeoutMs} ms` };
}

/** The service only takes the question: the connection does not outlive it, so that the wait costs nobody anything. */
async function askForCallback(
  deps: HttpGateDeps,
  definition: HttpGateDefinition,
  question: GateQuestion,
  call: GateCall,
): Promise<GateAnswer> {
  const secret = await deps.secrets.read(definition.callback?.secret ?? '');
  if (!secret.isThere) return error('gate.secret', secret.message);
  const base = await deps.callbackUrl;
  if (base === null) return error('gate.error', 'this server does not know where it is reached: set STELLA_URL');
  const url = `${base}${callbackPath(question.operationId)}`;
  const request = requestOf(definition, { ...question, callback: { url } }, call);
  const { operationId } = question;
  const signed = signatureHeaders(secret.key, { id: operationId, atMs: deps.clock.nowMs(), body: request.body });
  const response = await deps.http.request({ ...request, headers: { ...request.headers, ...signed } });
  await readBody(response);
  if (response.status === 202) return { outcome: 'acknowledged', message: 'took the question, and calls back' };
  if (response.status === 200) {
    return error('gate.bad_response', 'status 200 instead of 202: a gate that calls back gives no verdict at once');
  }
  return refuseHead(response) ?? error('gate.bad_response', `status ${response.status} instead of 202`);
}

function callbackPath(operationId: string): string {
  return `/api/v1/callbacks/${encodeURIComponent(operationId)}`;
}

async function askOnce(
  { http }: HttpGateDeps,
  definition: HttpGateDefinition,
  question: GateQuestion,
  call: GateCall,
): Promise<Said> {
  const response = await http.request(requestOf(definition, question, call));
  const bytes = await readBody(response);
  const pending = { outcome: 'pending', retryAfterMs: retryAfterOf(response) } as const;
  const isPolling = definition.pollIntervalMs !== undefined;
  if (isPolling && response.status === 202) return pending;
  const said = refuseHead(response) ?? parseAnswer(bytes, question);
  if (said !== 'pending') return said;
  return isPolling ? pending : error('gate.bad_response', `the answer is no verdict: ${NO_VERDICT}`);
}

function requestOf(
  definition: HttpGateDefinition,
  question: GateQuestion,
  { signal, timeoutMs }: GateCall,
): HttpRequest & { readonly body: string } {
  return {
    method: 'POST',
    url: definition.url,
    headers: {
      ...definition.headers,
      'content-type': 'application/json',
      'idempotency-key': question.operationId,
    },
    // A question is a plain JSON value.
    body: canonicalJson(question as unknown as Json),
    timeoutMs,
    responseBytesMax: RESPONSE_BYTES_MAX,
    signal,
  };
}

/** Seconds; a date, or nothing, asks for no longer pause than the definition does. */
function retryAfterOf({ headers }: HttpResponse): number {
  const header = headers['retry-after'];
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : 0;
}

function refuseHead({ status, headers }: HttpResponse): GateAnswer | null {
  if (status >= 300 && status < 400) return error('gate.bad_response', `status ${status}: redirects are not followed`);
  // The service says of itself that it cannot answer.
  const code = status >= 400 && status < 600 ? 'gate.error' : 'gate.bad_response';
  if (status !== 200) return error(code, `status ${status} instead of 200`);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return null;
  return error('gate.bad_response', `the answer is encoded as "${encoding.slice(0, 40)}", which was not asked for`);
}

function fromFailure(cause: unknown, timeoutMs: number): GateAnswer {
  if (!(cause instanceof HttpFailure)) {
    return error('gate.error', cause instanceof Error ? cause.message : String(cause));
  }
  if (cause.failure === 'timeout')
    return { outcome: 'timeout', code: 'gate.timeout', message: `no answer within ${timeoutMs} ms` };
  if (cause.failure === 'address_forbidden') return error('gate.address_forbidden', cause.message);
  if (cause.failure === 'too_large') return error('gate.bad_response', cause.message);
  return error(CODE_BY_FAILURE[cause.failure] ?? 'gate.error', `${cause.failure}: ${cause.message}`);
}

/** No answer at all, and why: what a diagnosis tells apart. */
const CODE_BY_FAILURE: Readonly<Partial<Record<HttpFailureKind, ErrorCode>>> = {
  dns: 'gate.dns',
  tls: 'gate.tls',
  refused: 'gate.unreachable',
  connect: 'gate.unreachable',
};
