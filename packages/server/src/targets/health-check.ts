/** The health check of a target: `threshold` right answers in a row, before a deadline. */
import type {
  CommandArgv,
  CommandHealthCheck,
  ContainerHealthCheck,
  HealthCheck,
  HttpHealthCheck,
  TcpHealthCheck,
} from '@stella/domain';
import { HttpFailure, type HttpFailureKind } from '../ports/http-client.ts';
import type { CallScope } from './call-scope.ts';
import type { TargetDeps } from './target-deps.ts';
import { howItEnded, lastWords, type ProgramPlace, toProgramArgv } from './target-program.ts';

/** The body is not looked at; a page that is larger is left unread, and the status still counts. */
const RESPONSE_BYTES_MAX = 1_048_576;
/** Its end is told; a program that says more than this is ended. */
const OUTPUT_BYTES_MAX = 1_048_576;

export interface Health {
  readonly isHealthy: boolean;
  /** Why not; empty when it is. */
  readonly message: string;
}

export type HealthDeps = Pick<TargetDeps, 'http' | 'network' | 'clock' | 'findProgram'>;

/** What a program is told of whose health it finds out. */
export interface HealthPlace {
  readonly place: ProgramPlace;
  /** What runs there. */
  readonly digest: string;
}

const HEALTHY: Health = { isHealthy: true, message: '' };

/**
 * Without a check everything that runs is healthy. Ends with the call at the latest. Throws `target.interrupted` when the
 * caller gave the call up, or it was over before anybody said no, and for a program what keeps it from being asked: that it
 * may not be run on this machine or is not there, or that its host is not reached.
 */
export async function checkHealth(
  deps: HealthDeps,
  check: HealthCheck | null,
  at: HealthPlace,
  scope: CallScope,
): Promise<Health> {
  if (check === null) return HEALTHY;
  const { clock } = deps;
  const endsAtMs = clock.monotonicMs() + Math.min(check.deadlineMs, scope.timeoutMs);
  let rightCount = 0;
  let askedCount = 0;
  let problem = 'no answer yet';
  let isRefused = false;
  // Until it is healthy, or the time or the call is over.
  for (;;) {
    const leftMs = endsAtMs - clock.monotonicMs();
    // That the call was over says nothing of a target that nobody has heard a no of.
    if (scope.ending() === 'aborted' || !isRefused) scope.check();
    if (leftMs <= 0 || scope.ending() !== null) {
      return { isHealthy: false, message: `${whereOf(check)}: ${problem} (${askedCount} ${wordOf(check)})` };
    }
    const timeoutMs = Math.min(check.timeoutMs, leftMs);
    const found = await askOnce(deps, check, { at, timeoutMs, scope });
    askedCount += 1;
    rightCount = found === null ? rightCount + 1 : 0;
    // One that our deadline or the end of the call cut short says nothing of the target: what it answered before is told.
    const isCutShort = found?.failure === 'timeout' && timeoutMs < check.timeoutMs && askedCount > 1;
    if (isCutShort || (found !== null && scope.ending() !== null)) continue;
    isRefused ||= found !== null;
    if (found !== null) problem = found.message;
    else problem = `${rightCount} of ${check.threshold} right answers in a row`;
    if (rightCount >= check.threshold) return HEALTHY;
    await scope.pause(Math.min(check.intervalMs, Math.max(0, endsAtMs - clock.monotonicMs())));
  }
}

/** The program that a health check runs on the host of its target, if it does. */
export function healthPrograms(check: HealthCheck | ContainerHealthCheck | null): readonly CommandArgv[] {
  return check?.kind === 'command' ? [check.command] : [];
}

function whereOf(check: HealthCheck): string {
  if (check.kind === undefined) return check.url;
  if (check.kind === 'command') return check.command[0];
  const { address, port } = check;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function wordOf({ kind }: HealthCheck): string {
  if (kind === 'command') return 'runs';
  return kind === 'tcp' ? 'connections' : 'requests';
}

interface WrongAnswer {
  readonly failure: HttpFailureKind | 'status' | 'exit';
  readonly message: string;
}

interface Asking {
  readonly at: HealthPlace;
  readonly timeoutMs: number;
  readonly scope: CallScope;
}

/** Null when the answer is right, else what was wrong with it. */
function askOnce(deps: HealthDeps, check: HealthCheck, asking: Asking): Promise<WrongAnswer | null> {
  if (check.kind === 'tcp') return connectOnce(deps, check, asking);
  return check.kind === 'command' ? runOnce(deps, check, asking) : requestOnce(deps, check, asking);
}

async function connectOnce(
  { network, clock }: HealthDeps,
  { address, port }: TcpHealthCheck,
  { timeoutMs, scope: { signal } }: Asking,
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
  { timeoutMs, scope: { signal } }: Asking,
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

async function runOnce(
  deps: HealthDeps,
  { command }: CommandHealthCheck,
  { at: { place, digest }, timeoutMs, scope }: Asking,
): Promise<WrongAnswer | null> {
  const argv = await toProgramArgv(deps, place, command, { action: 'health', digest });
  const options = { timeoutMs, signal: scope.signal, outputBytesMax: OUTPUT_BYTES_MAX };
  const ended = await untilOver(scope, place.host.run(argv, options));
  if (ended === null) return { failure: 'aborted', message: 'was ended with the call' };
  const { stdout, stderr, ...end } = ended;
  if (end.exitCode === 0) return null;
  const said = lastWords(`${stdout} ${stderr}`);
  const message = `${howItEnded(end)}${said === '' ? '' : `: ${said}`}`;
  return { failure: end.isTimedOut ? 'timeout' : 'exit', message };
}

/** Null when the call is over first: its host ends the program then, which takes longer than an answer may. */
async function untilOver<Value>({ signal }: CallScope, work: Promise<Value>): Promise<Value | null> {
  let leave: () => void = () => undefined;
  const over = new Promise<null>((resolve) => {
    leave = () => resolve(null);
  });
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await Promise.race([work, over]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
