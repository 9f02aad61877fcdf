/** What the read of an artifact says about a registry, once the connection stands. */
import { AppError, type Digest } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { RegistryAccess } from '../ports/registry-credentials.ts';
import type { Registry } from '../ports/registry.ts';
import { nodeClock } from '../system/node-clock.ts';
import { lookAtRegistry } from './look-at-registry.ts';

const REGISTRY = 'registry.example';
const LOGIN = { username: 'ci', password: 'made-up word' };

async function look(readDocument: Registry['readDocument'], login: RegistryAccess['login'] = LOGIN): Promise<string[]> {
  const unused = (): never => {
    throw new Error('it is not asked');
  };
  const stages = await lookAtRegistry(
    {
      network: {
        look: () => Promise.resolve({ stages: [], answer: { kind: 'status', status: 200, durationMs: 1 } }),
        connect: unused,
      },
      registry: { resolve: unused, readBlob: unused, readDocument },
      accesses: { accessTo: () => Promise.resolve({ origin: `https://${REGISTRY}`, ca: null, login }) },
      clock: nodeClock,
    },
    {
      source: { kind: 'registry', registry: REGISTRY, repository: 'shop/web' },
      digest: `sha256:${'0'.repeat(64)}` as Digest,
      stageTimeoutMs: 20,
      signal: new AbortController().signal,
    },
  );
  return stages.map(({ stage, outcome, code, detail }) => `${stage} ${outcome} ${code ?? '-'} ${detail}`);
}

const fails =
  (code: 'registry.artifact_missing' | 'registry.credentials' | 'registry.unreachable'): Registry['readDocument'] =>
  () =>
    Promise.reject(new AppError(code, { details: { registry: REGISTRY, message: 'as told' } }));

describe('a look at a registry that answers', () => {
  it('ends by its time as answer.timeout when the read of an artifact hangs', async () => {
    const hangs: Registry['readDocument'] = (_source, _digest, signal) =>
      new Promise((_resolve, reject) => {
        const giveUp = (): void => {
          reject(new AppError('registry.unreachable', { details: { registry: REGISTRY, message: 'given up' } }));
        };
        signal?.addEventListener('abort', giveUp, { once: true });
      });
    expect(await look(hangs)).toEqual([
      'auth skipped probe.skipped not reached',
      'answer failed answer.timeout no answer within 20 ms',
    ]);
  });

  it.each([
    ['registry.credentials', ['auth failed auth.refused', 'answer skipped probe.skipped']],
    ['registry.artifact_missing', ['auth ok -', 'answer failed answer.missing']],
    ['registry.unreachable', ['auth skipped probe.skipped', 'answer failed answer.bad']],
  ] as const)('tells %s by stage and code, and never the password', async (code, expected) => {
    const stages = await look(fails(code));
    expect(stages.map((one) => one.split(' ').slice(0, 3).join(' '))).toEqual(expected);
    expect(stages.join()).not.toContain(LOGIN.password);
  });
});
