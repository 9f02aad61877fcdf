import { AppError, type ProbeStage } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { HostRunResult, TargetHost } from '../ports/target-host.ts';
import { nodeClock } from '../system/node-clock.ts';
import { readComposeVersion } from './compose/compose-version.ts';
import { probeOnHost } from './probe-on-host.ts';

const TIMEOUT_MS = 300;
const TARGET = 'shop-1';
const never = new AbortController().signal;

const pauseMs = (durationMs: number): Promise<void> =>
  new Promise((resolve) => {
    nodeClock.schedule(durationMs, resolve);
  });

/** Its way takes so long, and its programs do not end until they are given up. */
function slowHost(wayMs: number): TargetHost {
  const auth: ProbeStage = { stage: 'auth', outcome: 'ok', durationMs: wayMs, code: null, detail: 'root' };
  return {
    label: 'root@10.0.0.11:22',
    look: async () => {
      await pauseMs(wayMs);
      return [auth];
    },
    run: async (_argv, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return { exitCode: null, stdout: '', stderr: '', isTimedOut: false, isAborted: true, isCut: false };
    },
    open: () => Promise.reject(new Error('nothing is opened')),
    close: () => Promise.resolve(),
  };
}

describe('a probe of a target on a host', () => {
  it.each([0, TIMEOUT_MS * 0.8])(
    'tells a slow host as slow, with its stage, %d ms of it for the way',
    async (wayMs) => {
      const host = slowHost(wayMs);
      let leftMs = Number.NaN;
      const call = { signal: never, timeoutMs: TIMEOUT_MS };
      const answer = await probeOnHost({ clock: nodeClock, target: TARGET, host }, call, async (scope, timer) => {
        leftMs = scope.timeoutMs;
        await timer.run(
          'programs',
          () => 'programs.missing',
          () => readComposeVersion({ host, target: TARGET }, scope),
        );
        return { message: 'well', holds: null };
      });
      const message = 'was not looked at within 0.3 s, it stood at the stage programs (setting probe.timeout)';
      expect(answer).toMatchObject({ outcome: 'errored', code: 'target.interrupted', message });
      const stages = answer.stages.map(({ stage, code }) => `${stage} ${code ?? 'ok'}`);
      expect(stages).toEqual(['auth ok', 'programs probe.timeout']);
      // Way and look share the time that the caller waits; timers come up to a millisecond early.
      expect(leftMs).toBeLessThanOrEqual(TIMEOUT_MS - wayMs + 1);
    },
  );

  it.each(['target.interrupted', 'target.unreachable'] as const)(
    'bug: tells a connection that was lost (%s) from what the stage looks at',
    async (code) => {
      const call = { signal: never, timeoutMs: 60_000 };
      const place = { clock: nodeClock, target: TARGET, host: slowHost(0) };
      const answer = await probeOnHost(place, call, async (_scope, timer) => {
        const lost = new AppError(code, { details: { target: TARGET, message: 'the connection was reset' } });
        await timer.run(
          'path',
          () => 'rights.denied',
          () => Promise.reject(lost),
        );
        return { message: 'well', holds: null };
      });
      expect(answer).toMatchObject({ outcome: 'errored', code });
      expect(answer.stages.at(-1)).toMatchObject({ stage: 'path', code: 'probe.timeout' });
    },
  );

  it('tells what a look throws in time as it is', async () => {
    const call = { signal: never, timeoutMs: 60_000 };
    const answer = await probeOnHost({ clock: nodeClock, target: TARGET, host: slowHost(0) }, call, () =>
      Promise.reject(new AppError('target.program_missing', { details: { target: TARGET, message: 'no Compose' } })),
    );
    expect(answer).toMatchObject({ outcome: 'failed', code: 'target.program_missing' });
  });
});

describe('the version of Compose', () => {
  it.each([
    ['ended from here', null, 'target.interrupted'],
    ['ended by timeout(1)', 124, 'target.interrupted'],
    ['not there', 127, 'target.program_missing'],
  ])('of a program that is %s', async (_what, exitCode, code) => {
    const ending = { isTimedOut: exitCode === null, isAborted: false, isCut: false };
    const run = (): Promise<HostRunResult> => Promise.resolve({ exitCode, stdout: '', stderr: '', ...ending });
    const read = readComposeVersion({ host: { run }, target: TARGET }, { signal: never, timeoutMs: TIMEOUT_MS });
    await expect(read).rejects.toMatchObject({ code });
  });
});
