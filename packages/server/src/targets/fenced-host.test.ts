import { expect, it } from 'vitest';
import type { TargetHost } from '../ports/target-host.ts';
import { nodeClock } from '../system/node-clock.ts';
import { withinCall } from './call-scope.ts';
import { makeFencedHost } from './fenced-host.ts';
import { toErroredAnswer } from './target-errors.ts';

it('bug: names what a host lacks to run the script at all, instead of an interruption', async () => {
  const unused = (): never => {
    throw new Error('it is not asked');
  };
  const host: TargetHost = {
    label: 'a host without coreutils',
    run: () =>
      Promise.resolve({
        exitCode: 127,
        stdout: '',
        stderr: 'sh: 1: exec: timeout: not found\n',
        isTimedOut: false,
        isAborted: false,
        isCut: false,
      }),
    open: unused,
    look: unused,
    close: unused,
  };
  const fenced = makeFencedHost(host, { target: 'web', stateDirectory: '/state' });
  const answer = await withinCall<unknown>(
    { call: { signal: new AbortController().signal, timeoutMs: 60_000 }, clock: nodeClock, target: 'web' },
    (error) => toErroredAnswer(error, 'web'),
    (scope) => fenced.probe(scope),
  );
  expect(answer).toMatchObject({
    code: 'target.program_missing',
    message: expect.stringContaining('timeout: not found') as string,
  });
});
