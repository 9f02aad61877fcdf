import type { FilesTargetDefinition, ProbeStage } from '@stella/domain';
import { makeComposeTarget, makeTarget } from '@stella/testkit';
import { expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import { type HttpClient, HttpFailure, type HttpResponse } from '../ports/http-client.ts';
import type { HostArgv, HostRunResult, TargetHost } from '../ports/target-host.ts';
import { nodeClock } from '../system/node-clock.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { checkHealth, type HealthDeps, type HealthPlace } from './health-check.ts';
import type { FindProgram } from './target-deps.ts';

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

const COMMAND_CHECK = {
  kind: 'command',
  command: ['/opt/web/health', '--deep'],
  timeoutMs: 1_000,
  intervalMs: 100,
  threshold: 2,
  deadlineMs: 1_500,
} as const;

const NOT_ASKED: HealthDeps['network'] = { connect: () => Promise.reject(new Error('not asked')) };
const NOT_SOUGHT: FindProgram = () => Promise.reject(new Error('not looked for'));
const ENDED: HostRunResult = {
  exitCode: 0,
  stdout: '',
  stderr: '',
  isTimedOut: false,
  isAborted: false,
  isCut: false,
};
const SSH = { address: '10.0.0.5', port: 22, user: 'deploy', key: 'file:/key', hostKey: 'SHA256:x' };

const CONNECTED: ProbeStage = { stage: 'tcp', outcome: 'ok', durationMs: 1, code: null, detail: '[::1]:25' };
const REFUSED: ProbeStage = { ...CONNECTED, outcome: 'failed', code: 'tcp.refused', detail: '::1:25: ECONNREFUSED' };

interface Ending extends Partial<HostRunResult> {
  readonly takesMs?: number;
}

const FAR: HealthPlace['place']['definition'] = makeComposeTarget({
  name: 'shop-1',
  components: { api: 'api', worker: 'jobs' },
  host: { ssh: SSH },
});
const HERE: FilesTargetDefinition = makeTarget({ name: 'web' });

function placeOf(definition: HealthPlace['place']['definition'], run: TargetHost['run']): HealthPlace {
  const host: TargetHost = {
    label: 'a host',
    run,
    open: () => Promise.reject(new Error('not opened')),
    look: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
  return { place: { definition, environment: 'prod', host }, digest: 'sha256:1' };
}

const NOWHERE = placeOf(HERE, () => Promise.reject(new Error('not run')));

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
    run: () =>
      checkHealth({ http, network: NOT_ASKED, clock: clock as Clock, findProgram: NOT_SOUGHT }, CHECK, NOWHERE, scope),
    command: (
      ends: readonly Ending[],
      findProgram: FindProgram = NOT_SOUGHT,
      definition = FAR,
      program = COMMAND_CHECK.command[0] as string,
    ) => {
      const argvs: HostArgv[] = [];
      const run: TargetHost['run'] = (argv, { timeoutMs }) => {
        const { takesMs = 1, ...end } = ends[Math.min(argvs.length, ends.length - 1)] ?? {};
        argvs.push(argv);
        nowMs += Math.min(takesMs, timeoutMs);
        const isTimedOut = takesMs > timeoutMs;
        return Promise.resolve({ ...ENDED, ...end, ...(isTimedOut && { exitCode: null, isTimedOut }) });
      };
      const at = placeOf(definition, run);
      const deps = { http, network: NOT_ASKED, clock: clock as Clock, findProgram };
      const command = [program, ...COMMAND_CHECK.command.slice(1)] as const;
      return { argvs, health: checkHealth(deps, { ...COMMAND_CHECK, command }, at, scope) };
    },
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
      const deps = { http, network, clock: { ...clock, timeoutSignal: schedule } as Clock, findProgram: NOT_SOUGHT };
      return checkHealth(deps, TCP_CHECK, NOWHERE, scope);
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

it('is healthy by a program after so many exit codes 0 in a row, which is told whose health it is', async () => {
  const { argvs, health } = makePlace([]).command([{}, { exitCode: 4 }, {}, {}]);
  expect(await health).toEqual({ isHealthy: true, message: '' });
  expect(argvs).toHaveLength(4);
  expect(argvs[0]).toEqual([
    'env',
    'STELLA_ENVIRONMENT=prod',
    'STELLA_TARGET=shop-1',
    'STELLA_COMPONENT=api,jobs',
    'STELLA_ACTION=health',
    'STELLA_DIGEST=sha256:1',
    '/opt/web/health',
    '--deep',
  ]);
});

it('tells the last words of a program that says no, in one line and no more than can be read', async () => {
  const place = makePlace([]);
  const said = await place.command([{ exitCode: 3, stdout: 'looked\n', stderr: `queue\n${'x'.repeat(900)} end\n` }])
    .health;
  expect(said.isHealthy).toBe(false);
  expect(said.message).toMatch(/^\/opt\/web\/health: ended with exit code 3: x{496} end \(1\d runs\)$/);
  expect(place.nowMs()).toBe(COMMAND_CHECK.deadlineMs);
});

it.each<[string, Ending, string]>([
  ['that takes too long', { takesMs: 9_000 }, 'did not end in time'],
  ['that a signal has ended', { exitCode: null }, 'was ended'],
  ['that writes without end', { exitCode: null, isCut: true }, 'wrote too much'],
])('takes for no right answer a program %s', async (_what, ending, words) => {
  const found = await makePlace([]).command([ending]).health;
  expect(found).toMatchObject({ isHealthy: false });
  expect(found.message).toContain(`/opt/web/health: ${words} (`);
});

it('tells what a program said before, not that the deadline of the check cut its last run short', async () => {
  const slow = { exitCode: 1, stderr: 'still warming up', takesMs: 900 };
  const { health } = makePlace([]).command([slow, slow]);
  expect((await health).message).toBe('/opt/web/health: ended with exit code 1: still warming up (2 runs)');
});

it('runs on this machine only what may be run here, by the path that was found', async () => {
  const found = makePlace([]).command([{}], () => Promise.resolve({ isThere: true, program: '/real/path' }), HERE);
  expect(await found.health).toMatchObject({ isHealthy: true });
  expect(found.argvs[0]?.slice(-2)).toEqual(['/real/path', '--deep']);
  for (const [code, expected] of [
    ['gate.program_forbidden', 'target.program_forbidden'],
    ['gate.program_missing', 'target.program_missing'],
  ] as const) {
    const none = makePlace([]).command([{}], () => Promise.resolve({ isThere: false, code, message: 'no' }), HERE);
    await expect(none.health).rejects.toMatchObject({ code: expected });
    expect(none.argvs).toEqual([]);
  }
});

it('does not wait for the end of a program when its call is over', async () => {
  const at = placeOf({ ...HERE, host: { ssh: SSH } }, () => new Promise(() => undefined));
  const http: HttpClient = { request: () => Promise.reject(new Error('not asked')) };
  const deps = { http, network: NOT_ASKED, clock: nodeClock, findProgram: NOT_SOUGHT };
  const check = { ...COMMAND_CHECK, deadlineMs: 60_000, timeoutMs: 60_000 };
  const call = { signal: new AbortController().signal, timeoutMs: 50 };
  const answer = await withinCall<string>(
    { call, clock: nodeClock, target: 'web' },
    (error) => String(error),
    async (scope) => (await checkHealth(deps, check, at, scope)).message,
  );
  expect(answer).toContain('no end within 50 ms');
});

it.each([
  ['bug: takes no look that the end of its call cut short for a no', [], 'no end within 200 ms'],
  ['tells what was said before the end of its call', [9], '/opt/web/health: ended with exit code 9 (2 runs)'],
])('%s', async (_what, exitCodes, said) => {
  let runCount = 0;
  const run: TargetHost['run'] = () => {
    const exitCode = exitCodes[runCount];
    runCount += 1;
    return exitCode === undefined ? new Promise(() => undefined) : Promise.resolve({ ...ENDED, exitCode });
  };
  const http: HttpClient = { request: () => Promise.reject(new Error('not asked')) };
  const deps = { http, network: NOT_ASKED, clock: nodeClock, findProgram: NOT_SOUGHT };
  const check = { ...COMMAND_CHECK, intervalMs: 1, deadlineMs: 60_000, timeoutMs: 60_000 };
  const answer = await withinCall<string>(
    { call: { signal: new AbortController().signal, timeoutMs: 200 }, clock: nodeClock, target: 'web' },
    (error) => String(error),
    async (scope) => (await checkHealth(deps, check, placeOf({ ...HERE, host: { ssh: SSH } }, run), scope)).message,
  );
  expect(answer).toContain(said);
});

it('bug: runs no path that env would take for a variable, also behind a link', async () => {
  const found: FindProgram = () => Promise.resolve({ isThere: true, program: '/opt/v=1/look' });
  for (const [definition, command] of [
    [HERE, '/opt/web/health'],
    [FAR, '/opt/v=1/look'],
  ] as const) {
    const { argvs, health } = makePlace([]).command([{}], found, definition, command);
    await expect(health).rejects.toMatchObject({ code: 'target.program_forbidden' });
    expect(argvs).toEqual([]);
  }
});
