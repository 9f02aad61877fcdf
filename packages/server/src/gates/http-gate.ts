/**
 * Gate kind `http`, synchronous: POSTs the question once per attempt and takes `{"verdict":"passed"|"failed",
 * "message"?}` with status 200 for an answer. Everything else is an error, and errors close: also an answer that readers
 * could understand in two ways, or that repeats a part of the question with another value.
 */
import { type HttpGateDefinition, canonicalJson, type Json, parseStrictJson } from '@stella/domain';
import type { GateAnswer, GateEvaluator, GateQuestion } from '../ports/gate.ts';
import { type HttpClient, HttpFailure, type HttpResponse, readBody } from '../ports/http-client.ts';

/** A verdict is small; a service that answers more is broken or hostile. */
const RESPONSE_BYTES_MAX = 65_536;
const MESSAGE_LENGTH_MAX = 500;

export function makeHttpGate({ http }: { http: HttpClient }): GateEvaluator<HttpGateDefinition> {
  return {
    async evaluate(definition, question, { signal, timeoutMs }) {
      // A question is a plain JSON value.
      const body = canonicalJson(question as unknown as Json);
      try {
        const response = await http.request({
          method: 'POST',
          url: definition.url,
          headers: {
            ...definition.headers,
            'content-type': 'application/json',
            'idempotency-key': question.operationId,
          },
          body,
          timeoutMs,
          responseBytesMax: RESPONSE_BYTES_MAX,
          signal,
        });
        const bytes = await readBody(response);
        return refuseHead(response) ?? parseVerdict(bytes, question);
      } catch (cause) {
        return fromFailure(cause, timeoutMs);
      }
    },
  };
}

function refuseHead({ status, headers }: HttpResponse): GateAnswer | null {
  if (status >= 300 && status < 400) return error('gate.bad_response', `status ${status}: redirects are not followed`);
  if (status !== 200) return error('gate.bad_response', `status ${status} instead of 200`);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return null;
  return error('gate.bad_response', `the answer is encoded as "${encoding.slice(0, 40)}", which was not asked for`);
}

/** The bytes of an answer to the question → a verdict, or the error that they are none. */
export function parseVerdict(bytes: Uint8Array, question: GateQuestion): GateAnswer {
  try {
    const value = parseStrictJson(bytes, badResponse);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw badResponse('it is not a JSON object');
    }
    // An object of unknown members, as just checked.
    const members = value as Readonly<Record<string, Json>>;
    refuseOtherQuestion(members, question);
    const { verdict, message } = members;
    if (verdict !== 'passed' && verdict !== 'failed') throw badResponse('it has no "verdict" of "passed" or "failed"');
    const words =
      typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH_MAX) : `the service answered ${verdict}`;
    return { outcome: verdict, message: words, output: inCanonicalForm(members) };
  } catch (cause) {
    if (cause instanceof BadResponse) return error('gate.bad_response', `the answer is no verdict: ${cause.message}`);
    throw cause;
  }
}

class BadResponse extends Error {}

function badResponse(message: string): BadResponse {
  return new BadResponse(message);
}

/** An answer may repeat members of its question; what it repeats must be the same, or it answers another question. */
function refuseOtherQuestion(members: Readonly<Record<string, Json>>, question: GateQuestion): void {
  // A question is a plain JSON value.
  for (const [name, asked] of Object.entries(question as unknown as Readonly<Record<string, Json>>)) {
    if (!Object.hasOwn(members, name)) continue;
    if (inCanonicalForm(members[name] ?? null) !== canonicalJson(asked)) {
      throw badResponse(`its "${name}" is not that of the question`);
    }
  }
}

function inCanonicalForm(value: Json): string {
  try {
    return canonicalJson(value);
  } catch (cause) {
    if (cause instanceof RangeError) throw badResponse('it has a number that is too large');
    throw cause;
  }
}

function fromFailure(cause: unknown, timeoutMs: number): GateAnswer {
  if (!(cause instanceof HttpFailure)) {
    return error('gate.error', cause instanceof Error ? cause.message : String(cause));
  }
  if (cause.failure === 'timeout')
    return { outcome: 'timeout', code: 'gate.timeout', message: `no answer within ${timeoutMs} ms` };
  if (cause.failure === 'address_forbidden') return error('gate.address_forbidden', cause.message);
  if (cause.failure === 'too_large') return error('gate.bad_response', cause.message);
  return error('gate.error', `${cause.failure}: ${cause.message}`);
}

function error(code: string, message: string): GateAnswer {
  return { outcome: 'error', code, message };
}
