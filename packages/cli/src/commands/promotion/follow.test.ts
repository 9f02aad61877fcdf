import { getEventListeners } from 'node:events';
import type { Answer } from '@stella/contract/client';
import { expect, it } from 'vitest';
import type { CommandContext } from '../../command.ts';
import { untilEnded } from './follow.ts';

const LOOKS = 20;

/** In progress for so many looks, each after an event of the stream. */
function contextOf(interrupted: AbortSignal, onLook: () => void): CommandContext {
  let looks = 0;
  const client = {
    async call(): Promise<Partial<Answer<'getPromotion'>>> {
      looks += 1;
      onLook();
      return { status: looks < LOOKS ? 'in_progress' : 'completed' };
    },
    async *stream() {
      for (let event = 0; event < LOOKS; event += 1)
        yield await new Promise<object>((resolve) => setImmediate(() => resolve({})));
    },
  };
  const connect = () => Promise.resolve({ client });
  // Only what is used.
  return { connect, terminal: { interrupted, nowMs: () => 0 } } as unknown as CommandContext;
}

it('listens for an interrupt once, however often it looks, and no more at the end', async () => {
  const { signal } = new AbortController();
  const counts: number[] = [];
  await untilEnded(
    contextOf(signal, () => counts.push(getEventListeners(signal, 'abort').length)),
    'prm_1',
  );
  expect(counts).toHaveLength(LOOKS);
  expect(Math.max(...counts)).toBe(1);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
