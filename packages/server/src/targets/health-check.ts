/** The health check of a target: `threshold` right answers in a row, before a deadline. */
import type { HealthCheck, HttpHealthCheck, TcpHealthCheck } from '@stella/domain';
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

export type HealthDeps = Pick<TargetDeps, 'http' | 'network' | 'clock'>;

/** Ends with the call at the latest. Throws `target.interrupted` when the caller gave the call up. */
export async function checkHealth(deps: HealthDeps, check: HealthCheck, scope: CallScope): Promise<Health> {
  const { clock } = deps;
  const endsAtMs = clock.monotonicMs() + Math.min(check.deadlineMs, scope.timeoutMs);
  let rightCount = 0;
  let askedCount = 0;
  let problem = 'no answer yet';
  // Until it is healthy, or the time or the call is over.
  for (;;) {
    const leftMs = endsAtMs - clock.monotonicMs();
    if (scope.ending() === 'aborted') scope.check();
    if (leftMs <= 0 || scope.ending() !== null) {
      return { isHealthy: false, message: `${whereOf(check)}: ${problem} (${askedCount} ${wordOf(check)})` };
    }
    const timeoutMs = Math.min(check.timeoutMs, leftMs);
    const found = await askOnce(deps, check, { timeoutMs, signal: scope.signal });
    askedCount += 1;
    rightCount = found === null ? rightCount + 1 : 0;
    // One that our deadline cut short says nothing of the target: what it answered before is told.
    const isCutShort = found?.failure === 'timeout' && timeoutMs < check.timeoutMs && askedCount > 1;
    if (isCutShort) continue;
    if (found !== null) problem = found.message;
    else problem = `${rightCount} of ${check.threshold} right answers in a row`;
    if (rightCount >= check.threshold) return { isHealthy: true, message: '' };
    await scope.pause(Math.min(check.intervalMs, Math.max(0, endsAtMs - clock.monotonicMs())));
  }
}

function whereOf(check: HealthCheck): string {
  if (check.kind === undefined) return check.url;
  const { address, port } = check;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function wordOf({ kind }: HealthCheck): string {
  return kind === 'tcp' ? 'connections' : 'requests';
}

interface WrongAnswer {
  readonly failure: HttpFailureKind | 'status';
  readonly message: string;
}

interface Asking {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Null when the answer is right, else what was wrong with it. */
function askOnce(deps: HealthDeps, check: HealthCheck, asking: Asking): Promise<WrongAnswer | null> {
  return check.kind === 'tcp' ? connectOnce(deps, check, asking) : requestOnce(deps, check, asking);
}

async function connectOnce(
  { network, clock }: HealthDeps,
  { address, port }: TcpHealthCheck,
  { timeoutMs, signal }: Asking,
): Promise<WrongAnswer | null> {
  const whole = clock.timeoutSignal(timeoutMs);
  const order = { address, port, stageTimeoutMs: timeoutMs, signal: AbortSignal.any([signal, whole]) };
  const failed = (await network.connect(order)).find(({ outcome }) => outcome === 'failed');
  if (!failed) return null;
  const isLate = failed.code === 'dns.timeout' || failed.code === 'tcp.timeout' || failed.code === 'probe.timeout';
  if (isLate) return { failure: 'timeout', message: 'no connection in time' };
  return { failure: 'connect', message: failed.detail };
}

async function requestOnce(
  { http }: HealthDeps,
  { url, expectStatus }: HttpHealthCheck,
  { timeoutMs, signal }: Asking,
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
