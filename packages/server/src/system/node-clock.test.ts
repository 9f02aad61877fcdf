import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { waitFor } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { nodeClock } from './node-clock.ts';

describe('timeoutSignal of the real clock', () => {
  it('ends what waits for it and for another signal, though nobody holds it when memory is collected', async () => {
    setFlagsFromString('--expose-gc');
    // The flag makes it a global of contexts that are made after it.
    const collect = runInNewContext('gc') as () => void;
    const { signal } = new AbortController();
    let endedCount = 0;
    for (let count = 0; count < 10; count += 1) {
      const either = AbortSignal.any([signal, nodeClock.timeoutSignal(300)]);
      either.addEventListener('abort', () => (endedCount += 1), { once: true });
    }
    const hasEnded = (): boolean => {
      collect();
      return endedCount === 10;
    };
    await waitFor(hasEnded, { timeoutMs: 10_000, why: 'all of them abort' });
    expect(signal.aborted).toBe(false);
  });
});
