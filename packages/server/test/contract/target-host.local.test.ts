import { homedir } from 'node:os';
import { expect, it } from 'vitest';
import { makeLocalHost } from '../../src/system/local-host.ts';
import { describeTargetHost } from './target-host.contract.ts';

describeTargetHost('this machine', () => makeLocalHost({ home: homedir() }), { hasSignals: true });

it('is always reached', async () => {
  const host = makeLocalHost({ home: '/' });
  expect(await host.look({ stageTimeoutMs: 1, signal: new AbortController().signal })).toEqual([]);
});
