/**
 * Gate kind `http`, synchronous: POSTs the question once per attempt and takes `{"verdict":"passed"|"failed",
 * "message"?}` with status 200 for an answer. Everything else is an error, and errors close.
 */
import { type HttpGateDefinition, canonicalJson, type Json } from '@stella/domain';
import type { GateAnswer, GateEvaluator } from '../ports/gate.ts';
import { type HttpClient, HttpFailure, readBody } from '../ports/http-client.ts';

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
        if (response.status !== 200) return error('gate.bad_response', `status ${response.status} instead of 200`);
        return parseVerdict(bytes);
      } catch (cause) {
        return fromFailure(cause, timeoutMs);
      }
    },
  };
}

/** The bytes of an answer → a verdict, or the error that they are none. */
export function parseVerdict(bytes: Uint8Array): GateAnswer {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // What is wrong in it is for the service's own log.
    return error('gate.bad_response', 'the answer is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return error('gate.bad_response', 'the answer is not a JSON object');
  }
  // An object of unknown members, as just checked.
  const { verdict, message } = value as { verdict?: unknown; message?: unknown };
  if (verdict !== 'passed' && verdict !== 'failed') {
    return error('gate.bad_response', 'the answer has no "verdict" of "passed" or "failed"');
  }
  const words = typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH_MAX) : `the service answered ${verdict}`;
  return { outcome: verdict, message: words, output: canonicalJson(value as Json) };
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
