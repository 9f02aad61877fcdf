import { digestOf, type HttpGateDefinition } from '@stella/domain';
import { makeHttpGate as makeDefinition, makeSeededIds } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import type { GateQuestion } from '../ports/gate.ts';
import { HttpFailure, type HttpFailureKind } from '../ports/http-client.ts';
import { makeHttpGate } from './http-gate.ts';

const IDS = makeSeededIds(1);
const GATE: HttpGateDefinition = makeDefinition();
const QUESTION: GateQuestion = {
  operationId: 'op',
  promotionId: IDS.next('prm'),
  gateRunId: IDS.next('gtr'),
  gate: 'tests',
  environment: 'prod',
  attempt: 1,
  release: { name: 'shop-1', components: [{ name: 'web', digest: digestOf('web') }] },
};

/** Nobody waits: each request fails at once. */
const CLOCK: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  schedule: () => () => undefined,
  timeoutSignal: () => new AbortController().signal,
};

const NO_CALLBACKS = {
  secrets: { read: () => Promise.resolve({ isThere: false, message: 'none' } as const) },
  callbackUrl: Promise.resolve(null),
};

describe('a gate that cannot be asked', () => {
  it.each<[HttpFailureKind, string]>([
    ['dns', 'gate.dns'],
    ['tls', 'gate.tls'],
    ['refused', 'gate.unreachable'],
    ['connect', 'gate.unreachable'],
    ['reset', 'gate.error'],
    ['address_forbidden', 'gate.address_forbidden'],
  ])('answers an error for %s with the code %s', async (failure, code) => {
    const http = { request: () => Promise.reject(new HttpFailure(failure, 'said so')) };
    const answer = await makeHttpGate({ http, clock: CLOCK, ...NO_CALLBACKS }).evaluate(GATE, QUESTION, {
      signal: new AbortController().signal,
      timeoutMs: 1_000,
    });
    expect(answer).toMatchObject({ outcome: 'error', code });
  });
});
