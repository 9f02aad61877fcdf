/** The HTTP health check of a target: `threshold` right answers in a row, before a deadline. */
import type { HttpHealthCheck } from '@stella/domain';
import { HttpFailure, type HttpFailureKind } from '../ports/http-client.ts';
import type { CallScope } from './call-scope.ts';
import type { TargetDeps } from './target-deps.ts';

/** The body is not looked at; a page that is larger is left unread, and the status still counts. */
const RESPONSE_BYTES_MAX = 1_048_576;

export interface Health {
  readonly isHealthy: boolean;
  /** Why not; empty when it is. */
  readonly message: string;
}

/** Ends with the call at the latest. Throws `target.interrupted` when the caller gave the call up. */
export async function checkHealth(
  { http, clock }: Pick<TargetDeps, 'http' | 'clock'>,
  check: HttpHealthCheck,
  scope: CallScope,
): Promise<Health> {
  const endsAtMs = clock.monotonicMs() + Math.min(check.deadlineMs, scope.timeoutMs);
  let rightCount = 0;
  let requestCount = 0;
  let problem = 'no answer yet';
  // Until it is healthy, or the time or the call is over.
  for (;;) {
    const leftMs = endsAtMs - clock.monotonicMs();
    if (scope.ending() === 'aborted') scope.check();
    if (leftMs <= 0 || scope.ending() !== null) {
      return { isHealthy: false, message: `${check.url}: ${problem} (${requestCount} requests)` };
    }
    const timeoutMs = Math.min(check.timeoutMs, leftMs);
    const found = await askOnce(http, check, { timeoutMs, signal: scope.signal });
    requestCount += 1;
    rightCount = found === null ? rightCount + 1 : 0;
    // A request that our deadline cut short says nothing of the target: what it answered before is told.
    const isCutShort = found?.failure === 'timeout' && timeoutMs < check.timeoutMs && requestCount > 1;
    if (isCutShort) continue;
    if (found !== null) problem = found.message;
    else problem = `${rightCount} of ${check.threshold} right answers in a row`;
    if (rightCount >= check.threshold) return { isHealthy: true, message: '' };
    await scope.pause(Math.min(check.intervalMs, Math.max(0, endsAtMs - clock.monotonicMs())));
  }
}

interface WrongAnswer {
  readonly failure: HttpFailureKind | 'status';
  readonly message: string;
}

/** Null when the answer is right, else what was wrong with it. */
async function askOnce(
  http: TargetDeps['http'],
  { url, expectStatus }: HttpHealthCheck,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<WrongAnswer | null> {
  try {
    const request = { method: 'GET', url, timeoutMs, responseBytesMax: RESPONSE_BYTES_MAX, signal } as const;
    const response = await http.request(request);
    await response.body[Symbol.asyncIterator]().return?.();
    if (response.status === expectStatus) return null;
    return { failure: 'status', message: `status ${response.status} instead of ${expectStatus}` };
  } catch (error) {
    if (error instanceof HttpFailure) return error;
    throw error;
  }
}
