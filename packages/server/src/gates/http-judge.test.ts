/** The judge of a canary: what counts as a yes, a no, and no answer. */
import type { CanaryJudge } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { type HttpClient, HttpFailure, type HttpResponse } from '../ports/http-client.ts';
import { makeAskJudge } from './http-judge.ts';

const HEALTH: CanaryJudge = {
  url: 'http://127.0.0.1/health',
  expectStatus: 200,
  timeoutMs: 1_000,
  intervalMs: 1_000,
  failuresAllowed: 0,
};
const RATE: CanaryJudge = { ...HEALTH, value: { pointer: '/data/result/0/value/1', max: 0.01 } };

function client(status: number, text: string): HttpClient {
  const body = {
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve(new TextEncoder().encode(text));
    },
  };
  const response: HttpResponse = { status, headers: {}, body };
  return { request: () => Promise.resolve(response) };
}

function ask(judge: CanaryJudge, http: HttpClient) {
  return makeAskJudge(http)(judge, { signal: new AbortController().signal, timeoutMs: 1_000 });
}

/** As `/api/v1/query` of Prometheus answers. */
function vector(value: string): string {
  const result = value === '' ? [] : [{ metric: {}, value: [1_700_000_000.1, value] }];
  return JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });
}

describe('a judge without a value', () => {
  it('says yes by the expected status, and no by any other', async () => {
    expect(await ask(HEALTH, client(200, 'ok'))).toEqual({ outcome: 'passed', message: 'status 200' });
    expect(await ask(HEALTH, client(503, ''))).toEqual({ outcome: 'failed', message: 'status 503 instead of 200' });
  });
});

describe('a judge of a number', () => {
  it.each([
    ['0.009', 'passed', '0.009'],
    ['0.01', 'passed', '0.01'],
    ['0.5', 'failed', '0.5 is more than 0.01'],
    ['NaN', 'error', 'there is no number at /data/result/0/value/1'],
    ['', 'error', 'there is no number at /data/result/0/value/1'],
  ])('reads %j of Prometheus as %s', async (value, outcome, message) => {
    expect(await ask(RATE, client(200, vector(value)))).toEqual({ outcome, message });
  });

  it('has a lower bound, too, and unescapes its pointer', async () => {
    const judge: CanaryJudge = { ...HEALTH, value: { pointer: '/a~1b/~0c', min: 3 } };
    expect(await ask(judge, client(200, '{"a/b":{"~c":2}}'))).toEqual({
      outcome: 'failed',
      message: '2 is less than 3',
    });
    expect(await ask(judge, client(200, '{"a/b":{"~c":3}}'))).toMatchObject({ outcome: 'passed' });
  });

  it('does not take the length of a list, or what only looks like a number, for one', async () => {
    const at = (pointer: string, text: string) => ask({ ...HEALTH, value: { pointer, min: 0 } }, client(200, text));
    expect(await at('/a/1', '{"a":[7,8]}')).toMatchObject({ outcome: 'passed', message: '8' });
    for (const [pointer, text] of [
      ['/a/length', '{"a":[7,8]}'],
      ['/a/2', '{"a":[7,8]}'],
      ['/a', '{"a":"Infinity"}'],
      ['/a', '{"a":1e999}'],
      ['/a', '{"a":" "}'],
      ['/a', '{"a":true}'],
    ] as const) {
      expect(await at(pointer, text)).toMatchObject({ outcome: 'error', message: `there is no number at ${pointer}` });
    }
  });

  it('does not know when the answer is of another status, or no JSON', async () => {
    expect(await ask(RATE, client(500, vector('0')))).toMatchObject({ outcome: 'error' });
    expect(await ask(RATE, client(200, 'down for maintenance'))).toEqual({
      outcome: 'error',
      message: 'the answer cannot be read: it is not valid JSON',
    });
  });

  it('does not know when nobody answers', async () => {
    const failing = (failure: 'timeout' | 'refused'): HttpClient => ({
      request: () => Promise.reject(new HttpFailure(failure, 'as told')),
    });
    expect(await ask(RATE, failing('timeout'))).toEqual({ outcome: 'timeout', message: 'no answer within 1000 ms' });
    expect(await ask(RATE, failing('refused'))).toEqual({ outcome: 'error', message: 'refused: as told' });
  });
});
