import { expect, it } from 'vitest';
import type { TargetHost } from '../ports/target-host.ts';
import { nodeClock } from '../system/node-clock.ts';
import { probeCommandTarget } from './command-target-probe.ts';
import { makeFencedHost } from './fenced-host.ts';
import type { TargetDeps } from './target-deps.ts';

const DEFINITION = {
  name: 'web',
  kind: 'command',
  component: 'web',
  host: { ssh: { address: '10.0.0.5', port: 22, user: 'deploy', key: 'env:KEY', hostKey: 'SHA256:x' } },
  deploy: ['/opt/bring'],
  observe: ['/opt/tell'],
  health: null,
} as const;

/** A host with a fence, which says `exitCode` of every program that is looked for. */
function hostThatSays(exitCode: number | null): TargetHost {
  const ended = { stderr: '', isTimedOut: false, isAborted: false, isCut: false };
  return {
    label: 'deploy@10.0.0.5:22',
    run: ([program]) =>
      Promise.resolve(
        program === 'test'
          ? { ...ended, exitCode, stdout: '' }
          : { ...ended, exitCode: 0, stdout: 'free 1000\ndirectory /state\npair 0 0 - 0 0 -\n' },
      ),
    open: () => Promise.reject(new Error('nothing is deployed')),
    look: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

it.each([
  ['bug: a connection that was lost', null, 'errored', 'target.interrupted', 'probe.timeout'],
  ['a host that lacks its programs', 1, 'failed', 'target.program_missing', 'programs.missing'],
  ['a host that has them', 0, 'ok', undefined, null],
])('tells %s from the others', async (_what, exitCode, outcome, code, stage) => {
  const host = hostThatSays(exitCode);
  const place = {
    definition: DEFINITION,
    environment: 'prod',
    host,
    fenced: makeFencedHost(host, { target: 'web', stateDirectory: '/state' }),
  };
  const deps = { clock: nodeClock, allowedDirectories: [] } as Partial<TargetDeps> as TargetDeps;
  const call = { signal: new AbortController().signal, timeoutMs: 60_000 };
  const answer = await probeCommandTarget(deps, place, call);
  expect(answer).toMatchObject({ outcome, ...(code !== undefined && { code }) });
  expect(answer.stages.find((one) => one.stage === 'programs')?.code).toBe(stage);
});
