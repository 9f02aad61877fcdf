import { describe, expect, it } from 'vitest';
import {
  isTerminal,
  LIVE_STATUSES,
  PRIORITIES,
  priorityRank,
  PROMOTION_STATUSES,
  STATUS_TRANSITIONS,
  TERMINAL_STATUSES,
} from './status.ts';

describe('STATUS_TRANSITIONS', () => {
  it.each(TERMINAL_STATUSES)('%s is the end', (status) => {
    expect(isTerminal(status)).toBe(true);
    expect(STATUS_TRANSITIONS[status]).toEqual([]);
  });

  it.each(LIVE_STATUSES)('%s leads to an end, and never to itself', (status) => {
    expect(isTerminal(status)).toBe(false);
    expect(STATUS_TRANSITIONS[status]).not.toContain(status);
    expect(STATUS_TRANSITIONS[status].some((next) => isTerminal(next))).toBe(true);
    // Whatever it waits for may fail.
    expect(STATUS_TRANSITIONS[status]).toContain('failed');
    expect(new Set(STATUS_TRANSITIONS[status]).size).toBe(STATUS_TRANSITIONS[status].length);
  });

  it('can be cancelled from everywhere', () => {
    for (const status of LIVE_STATUSES) expect(STATUS_TRANSITIONS[status]).toContain('cancelled');
  });

  it('completes only what the machine works at', () => {
    const before = PROMOTION_STATUSES.filter((status) => STATUS_TRANSITIONS[status].includes('completed'));
    expect(before).toEqual(['in_progress']);
  });

  it('reaches every status from the first', () => {
    const reached = new Set<string>(['in_progress']);
    for (const status of PROMOTION_STATUSES) for (const next of STATUS_TRANSITIONS[status]) reached.add(next);
    expect([...reached].sort()).toEqual([...PROMOTION_STATUSES].sort());
  });
});

describe('priorityRank', () => {
  it('puts high before normal before low', () => {
    expect([...PRIORITIES].sort((a, b) => priorityRank(a) - priorityRank(b))).toEqual(['high', 'normal', 'low']);
  });
});
