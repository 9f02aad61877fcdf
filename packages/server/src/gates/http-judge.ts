/**
 * Asks the judge of a canary by GET. Without a value its status decides; with one, the number at a JSON pointer (RFC 6901)
 * of an answer with the expected status. A text that is a number counts as one, as Prometheus writes them. Redirects are
 * not followed, and the address is checked on connecting, as for gates.
 */
import { type CanaryJudge, type JudgedValue, parseStrictJson } from '@stella/domain';
import { type HttpClient, HttpFailure, readBody } from '../ports/http-client.ts';
import type { AskJudge, JudgeAnswer } from '../ports/judge.ts';

/** An answer to one query is small; a service that answers more is asked too much. */
const RESPONSE_BYTES_MAX = 262_144;

export function makeAskJudge(http: HttpClient): AskJudge {
  return async (judge, { signal, timeoutMs }) => {
    try {
      const headers = { accept: 'application/json' };
      const { url } = judge;
      const request = { method: 'GET', url, headers, timeoutMs, responseBytesMax: RESPONSE_BYTES_MAX, signal } as const;
      const response = await http.request(request);
      const body = await readBody(response);
      return judgeResponse(judge, response.status, body);
    } catch (cause) {
      return fromFailure(cause, timeoutMs);
    }
  };
}

function judgeResponse({ expectStatus, value }: CanaryJudge, status: number, body: Uint8Array): JudgeAnswer {
  const isExpected = status === expectStatus;
  const found = `status ${status}`;
  if (!value) {
    return isExpected
      ? { outcome: 'passed', message: found }
      : { outcome: 'failed', message: `${found} instead of ${expectStatus}` };
  }
  if (!isExpected) return { outcome: 'error', message: `${found} instead of ${expectStatus}` };
  const number = numberAt(body, value.pointer);
  return typeof number === 'number' ? compare(number, value) : number;
}

function compare(number: number, { min, max }: JudgedValue): JudgeAnswer {
  if (min !== undefined && number < min) return { outcome: 'failed', message: `${number} is less than ${min}` };
  if (max !== undefined && number > max) return { outcome: 'failed', message: `${number} is more than ${max}` };
  return { outcome: 'passed', message: String(number) };
}

class NoAnswer extends Error {}

function numberAt(body: Uint8Array, pointer: string): number | JudgeAnswer {
  try {
    const found = valueAt(
      parseStrictJson(body, (message) => new NoAnswer(message)),
      pointer,
    );
    const number = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
    return { outcome: 'error', message: `there is no number at ${pointer}` };
  } catch (cause) {
    if (cause instanceof NoAnswer) return { outcome: 'error', message: `the answer cannot be read: ${cause.message}` };
    throw cause;
  }
}

/** RFC 6901, section 4. */
const INDEX = /^(?:0|[1-9][0-9]*)$/;

/** Undefined when nothing is there. */
function valueAt(document: unknown, pointer: string): unknown {
  let here: unknown = document;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, name)) return undefined;
    // A list has a length, which is no part of the answer.
    if (Array.isArray(here) && !INDEX.test(name)) return undefined;
    here = Reflect.get(here, name);
  }
  return here;
}

function fromFailure(cause: unknown, timeoutMs: number): JudgeAnswer {
  if (!(cause instanceof HttpFailure)) {
    return { outcome: 'error', message: cause instanceof Error ? cause.message : String(cause) };
  }
  if (cause.failure === 'timeout') return { outcome: 'timeout', message: `no answer within ${timeoutMs} ms` };
  return { outcome: 'error', message: `${cause.failure}: ${cause.message}` };
}
