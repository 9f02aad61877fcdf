import { makeHttpGate as makeDefinition } from '@stella/testkit';
import type { GateRunId, PromotionId } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import type { GateAnswer } from '../ports/gate.ts';
import { HttpFailure, type HttpRequest } from '../ports/http-client.ts';
import { makeHttpGate } from './http-gate.ts';

const TIMEOUT_MS = 60_000;
const QUESTION = {
  operationId: 'prm_1.gate.tests.1',
  // Only handed through.
  promotionId: 'prm_1' as PromotionId,
  gateRunId: 'gtr_1' as GateRunId,
  gate: 'tests',
  environment: 'prod',
  attempt: 1,
  release: { name: 'shop-1', components: [] },
};

const NO_CALLBACKS = {
  secrets: { read: () => Promise.resolve({ isThere: false, message: 'none' } as const) },
  callbackUrl: Promise.resolve(null),
};

interface Said {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A service that says one thing after the other, and a clock that only its pauses move. */
async function ask(says: readonly Said[], pollIntervalMs?: number) {
  let nowMs = 0;
  const requests: (HttpRequest & { readonly atMs: number })[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    schedule: (delayMs, run) => {
      queueMicrotask(() => {
        nowMs += delayMs;
        run();
      });
      return () => undefined;
    },
    timeoutSignal: () => new AbortController().signal,
  };
  const http = {
    request: async (request: HttpRequest) => {
      const said = says[Math.min(requests.length, says.length - 1)] ?? {};
      requests.push({ ...request, atMs: nowMs });
      const body = (async function* () {
        yield new TextEncoder().encode(said.body ?? '');
      })();
      return { status: said.status ?? 200, headers: said.headers ?? {}, body };
    },
  };
  const gate = makeDefinition(pollIntervalMs === undefined ? {} : { pollIntervalMs });
  const call = { signal: new AbortController().signal, timeoutMs: TIMEOUT_MS };
  const answer: GateAnswer = await makeHttpGate({ http, clock, ...NO_CALLBACKS }).evaluate(gate, QUESTION, call);
  return { answer, requests };
}

const PASSED = { body: '{"verdict":"passed","message":"212 tests"}' };

describe('an http gate that polls', () => {
  it('asks the same question again until there is a verdict', async () => {
    const { answer, requests } = await ask([{ status: 202 }, { body: '{"verdict":"pending"}' }, PASSED], 5_000);
    expect(answer).toMatchObject({ outcome: 'passed', message: '212 tests' });
    expect(requests.map((one) => one.atMs)).toEqual([0, 5_000, 10_000]);
    expect(new Set(requests.map((one) => one.headers?.['idempotency-key']))).toEqual(new Set(['prm_1.gate.tests.1']));
    expect(new Set(requests.map((one) => one.body)).size).toBe(1);
    // Each has only what is left of the attempt.
    expect(requests.map((one) => one.timeoutMs)).toEqual([60_000, 55_000, 50_000]);
  });

  it('waits longer when the service asks for it, and never longer than the attempt', async () => {
    const { requests } = await ask([{ status: 202, headers: { 'retry-after': '20' } }, PASSED], 5_000);
    expect(requests.map((one) => one.atMs)).toEqual([0, 20_000]);
    const { answer, requests: one } = await ask([{ status: 202, headers: { 'retry-after': '3600' } }], 5_000);
    expect(answer).toEqual({ outcome: 'timeout', code: 'gate.timeout', message: 'still pending after 60000 ms' });
    expect(one).toHaveLength(1);
  });

  it('is a time-out when the answer is still pending at the end', async () => {
    const { answer, requests } = await ask([{ status: 202 }], 7_000);
    expect(answer).toMatchObject({ outcome: 'timeout', code: 'gate.timeout' });
    expect(requests).toHaveLength(9);
  });

  it('takes no other status for patience', async () => {
    expect((await ask([{ status: 204 }], 5_000)).answer).toMatchObject({ outcome: 'error', code: 'gate.bad_response' });
  });
});

describe('an http gate that does not poll', () => {
  it.each([
    ['accepted', { status: 202 }, 'status 202 instead of 200'],
    [
      'pending',
      { body: '{"verdict":"pending"}' },
      'the answer is no verdict: it has no "verdict" of "passed" or "failed"',
    ],
  ])('gets no verdict by %s', async (_name, said, message) => {
    const { answer, requests } = await ask([said]);
    expect(answer).toEqual({ outcome: 'error', code: 'gate.bad_response', message });
    expect(requests).toHaveLength(1);
  });
});

describe('an http gate whose request fails', () => {
  it('says what the failure was, and a time-out as one', async () => {
    const failing = (failure: 'timeout' | 'refused') =>
      makeHttpGate({
        http: { request: () => Promise.reject(new HttpFailure(failure, 'no connection')) },
        clock: { monotonicMs: () => 0 } as Clock,
        ...NO_CALLBACKS,
      }).evaluate(makeDefinition(), QUESTION, { signal: new AbortController().signal, timeoutMs: 5 });
    expect(await failing('timeout')).toMatchObject({ outcome: 'timeout', message: 'no answer within 5 ms' });
    expect(await failing('refused')).toMatchObject({ outcome: 'error', message: 'refused: no connection' });
  });
});
