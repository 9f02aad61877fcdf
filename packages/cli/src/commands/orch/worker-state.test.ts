import { expect, it } from 'vitest';
import { stateOfWorker } from './worker-state.ts';

it('does not call a worker live whose lease ran out while nobody was left to declare it dead', () => {
  const nowMs = Date.parse('2026-11-27T01:46:49Z');
  const stateAt = (state: string, leaseUntil: string): string => stateOfWorker({ state, leaseUntil }, nowMs);
  expect(stateAt('live', '2026-11-27T01:46:38Z')).toBe('silent');
  expect(stateAt('live', '2026-11-27T01:46:50Z')).toBe('live');
  expect(stateAt('retired', '2026-11-27T01:46:38Z')).toBe('retired');
});
