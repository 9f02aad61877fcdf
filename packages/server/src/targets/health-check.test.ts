import { expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import { type HttpClient, HttpFailure, type HttpResponse } from '../ports/http-client.ts';
import type { CallScope } from './call-scope.ts';
import { checkHealth } from './health-check.ts';

const CHECK = {
  url: 'http://127.0.0.1/health',
  expectStatus: 204,
  timeoutMs: 1_000,
  intervalMs: 100,
  threshold: 2,
  deadlineMs: 1_500,
};

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
  return { run: () => checkHealth({ http, clock: clock as Clock }, CHECK, scope), nowMs: () => nowMs };
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
