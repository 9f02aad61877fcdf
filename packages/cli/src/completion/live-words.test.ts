import { AppError } from '@stella/domain';
import type { Client } from '@stella/contract/client';
import { describe, expect, it } from 'vitest';
import { liveWords } from './live-words.ts';

const failing: Client = {
  call: () => Promise.reject(new AppError('server.unreachable', { details: { server: 'x', message: 'gone' } })),
  stream: () => {
    throw new Error('not asked');
  },
};
const words = (name: string, client: Client | null = null): ReturnType<typeof liveWords> =>
  liveWords({ name, before: [], client, contexts: ['prod', 'lab'] });

describe('the values of a word', () => {
  it('are there without a server where they are fixed', async () => {
    expect(await words('shell')).toEqual(['bash', 'zsh', 'fish'].map((value) => ({ value, summary: '' })));
    expect(await words('kind')).toEqual(['promote', 'rollback', 'deploy'].map((value) => ({ value, summary: '' })));
    expect(await words('context')).toEqual(['prod', 'lab'].map((value) => ({ value, summary: '' })));
  });

  it('are names of files for paths, and nothing for what nobody knows', async () => {
    expect(await words('path')).toBeNull();
    expect(await words('reason')).toEqual([]);
  });

  it.each(['promotion', 'release', 'environment', 'gate', 'lock', 'key'])(
    'are none, without an error, when the server does not answer: %s',
    async (name) => {
      expect(await words(name)).toEqual([]);
      expect(await words(name, failing)).toEqual([]);
    },
  );
});
