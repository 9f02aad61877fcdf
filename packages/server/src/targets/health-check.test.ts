import type { ProbeStage } from '@stella/domain';
import { expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import { type HttpClient, HttpFailure, type HttpResponse } from '../ports/http-client.ts';
import type { CallScope } from './call-scope.ts';
import { checkHealth, type HealthDeps } from './health-check.ts';

const CHECK = {
  url: 'http://127.0.0.1/health',
  expectStatus: 204,
  timeoutMs: 1_000,
  intervalMs: 100,
  threshold: 2,
  deadlineMs: 1_500,
};

const TCP_CHECK = {
  kind: 'tcp',
  address: '::1',
  port: 25,
  timeoutMs: 1_000,
  intervalMs: 100,
  threshold: 2,
  deadlineMs: 1_500,
} as const;

const NOT_ASKED: HealthDeps['network'] = { connect: () => Promise.reject(new Error('not asked')) };

const CONNECTED: ProbeStage = { stage: 'tcp', outcome: 'ok', durationMs: 1, code: null, detail: '[::1]:25' };
const REFUSED: ProbeStage = { ...CONNECTED, outcome: 'failed', code: 'tcp.refused', detail: '::1:25: ECONNREFUSED' };

/** Time that moves only by what an answer takes and by pauses. */
function makePlace(answers: readonly { readonly status: number; readonly takesMs: number }[]) {
  let nowMs = 0;
  let requestCount = 0;
  const clock: Pick<Clock, 'monotonicMs'> = { monotonicMs: () => nowMs };
  const http: HttpClient = {
    request: ({ timeoutMs }) => {
      const answer = answers[Math.min(requestCount, answers.length - 1)] ?? { status: 0, takesMs: 0 };
      requestCount += 1;
      nowMs += Math.min(answer.takesMs, timeoutMs);
      if (answer.takesMs > timeoutMs) return Promise.reject(new HttpFailure('timeout', 'no whole answer in time'));
      const body = {
        [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
      };
      return Promise.resolve({ status: answer.status, headers: {}, body } as HttpResponse);
    },
  };
  const scope: CallScope = {
    signal: new AbortController().signal,
    timeoutMs: 60_000,
    ending: () => null,
    check: () => undefined,
    pause: (delayMs) => {
      nowMs += delayMs;
      return Promise.resolve();
    },
  };
  return {
    run: () => checkHealth({ http, network: NOT_ASKED, clock: clock as Clock }, CHECK, scope),
    connect: (looks: readonly ProbeStage[]) => {
      let lookCount = 0;
      const network: HealthDeps['network'] = {
        connect: () => {
          nowMs += 1;
          const look = looks[Math.min(lookCount, looks.length - 1)];
          lookCount += 1;
          return Promise.resolve(look ? [look] : []);
        },
      };
      const schedule: Clock['timeoutSignal'] = () => new AbortController().signal;
      return checkHealth({ http, network, clock: { ...clock, timeoutSignal: schedule } as Clock }, TCP_CHECK, scope);
    },
    nowMs: () => nowMs,
  };
}

it('is healthy after so many right answers in a row', async () => {
  const place = makePlace([
    { status: 204, takesMs: 1 },
    { status: 503, takesMs: 1 },
    { status: 204, takesMs: 1 },
  ]);
  expect(await place.run()).toEqual({ isHealthy: true, message: '' });
});

it('tells the last whole answer, not that its own deadline cut the last request short', async () => {
  const place = makePlace([
    { status: 200, takesMs: 900 },
    { status: 200, takesMs: 900 },
  ]);
  expect(await place.run()).toEqual({
    isHealthy: false,
    message: 'http://127.0.0.1/health: status 200 instead of 204 (2 requests)',
  });
  expect(place.nowMs()).toBe(CHECK.deadlineMs);
});

it('tells of a target that never answers', async () => {
  const place = makePlace([{ status: 200, takesMs: 9_000 }]);
  expect(await place.run()).toEqual({
    isHealthy: false,
    message: 'http://127.0.0.1/health: no whole answer in time (2 requests)',
  });
});

it('is healthy by connection after so many in a row', async () => {
  const place = makePlace([]);
  expect(await place.connect([CONNECTED, REFUSED, CONNECTED, CONNECTED])).toEqual({ isHealthy: true, message: '' });
  expect(place.nowMs()).toBeGreaterThan(3 * TCP_CHECK.intervalMs);
});

it('tells of a connection that is refused, or never made in time', async () => {
  const refused = await makePlace([]).connect([REFUSED]);
  expect(refused.isHealthy).toBe(false);
  expect(refused.message).toMatch(/^\[::1\]:25: ::1:25: ECONNREFUSED \(1\d connections\)$/);
  const late = await makePlace([]).connect([{ ...REFUSED, code: 'tcp.timeout', detail: 'nothing within 1000 ms' }]);
  expect(late.message).toContain('no connection in time');
});
