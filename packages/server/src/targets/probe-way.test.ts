import type { ProbeCode, ProbeStage, ProbeStageName } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { TargetHost } from '../ports/target-host.ts';
import { lookAtWay } from './probe-way.ts';

const CALL = { timeoutMs: 1_000, signal: new AbortController().signal };

function hostThatShows(stage: ProbeStageName, code: ProbeCode): TargetHost {
  const refuse = (): never => {
    throw new Error('only looked at');
  };
  const stages: readonly ProbeStage[] = [
    { stage: 'tcp', outcome: 'ok', durationMs: 1, code: null, detail: '10.0.0.7:22' },
    { stage, outcome: 'failed', durationMs: 1, code, detail: 'said so' },
  ];
  return { label: 'web-1', open: refuse, run: refuse, look: async () => stages, close: async () => undefined };
}

describe('the way to a host', () => {
  it.each<[string, ProbeStageName, ProbeCode]>([
    ['target.host_key', 'host_key', 'host_key.changed'],
    ['target.host_key', 'host_key', 'host_key.unreadable'],
    ['target.credentials', 'auth', 'auth.refused'],
    ['target.credentials', 'auth', 'auth.secret_missing'],
    ['target.unreachable', 'dns', 'dns.not_found'],
    ['target.unreachable', 'tcp', 'tcp.refused'],
    // Neither has shown another key, nor refused ours.
    ['target.unreachable', 'host_key', 'answer.reset'],
    ['target.unreachable', 'host_key', 'probe.timeout'],
    ['target.unreachable', 'auth', 'answer.timeout'],
    ['target.unreachable', 'auth', 'probe.timeout'],
  ])('is broken by %s when %s fails by %s', async (code, stage, probeCode) => {
    const { broken } = await lookAtWay(hostThatShows(stage, probeCode), CALL);
    expect(broken).toMatchObject({ outcome: 'errored', code, message: 'said so' });
  });
});
