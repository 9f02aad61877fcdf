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
  { what: 'bug: a connection that was lost', exitCode: null, outcome: 'errored', stage: 'probe.timeout' },
  { what: 'bug: a host that was too slow', exitCode: 124, outcome: 'errored', stage: 'probe.timeout' },
  { what: 'a host that lacks what runs them', exitCode: 127, outcome: 'failed', stage: 'programs.missing' },
  { what: 'a host that lacks its programs', exitCode: 1, outcome: 'failed', stage: 'programs.missing' },
  { what: 'a host that has them', exitCode: 0, outcome: 'ok', stage: null },
])('tells $what from the others', async ({ exitCode, outcome, stage }) => {
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
  expect(answer.outcome).toBe(outcome);
  expect(answer.stages.find((one) => one.stage === 'programs')?.code).toBe(stage);
});
