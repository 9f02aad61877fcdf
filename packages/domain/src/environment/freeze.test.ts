import { makeEmptyEnvironment, makePrincipal } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { isAppError } from '../errors/app-error.ts';
import { currentFreeze, FREEZE_MS_MAX, freezeEnvironment, unfreezeEnvironment } from './freeze.ts';

const NOW_MS = Date.parse('2026-11-26T10:00:00Z');
const BY = { actor: makePrincipal('olga', 'operator@*').actor, nowMs: NOW_MS };
const PROD = makeEmptyEnvironment('prod');

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
}

describe('freezeEnvironment', () => {
  it('numbers each change and tells who, why and until when', () => {
    const first = freezeEnvironment(PROD, { reason: 'on air', untilMs: null }, BY);
    expect(first.freeze).toEqual({
      version: 1,
      reason: 'on air',
      by: 'olga',
      atMs: NOW_MS,
      untilMs: null,
      endedAtMs: null,
    });
    const second = freezeEnvironment({ ...PROD, freeze: first.freeze }, { reason: 'longer', untilMs: NOW_MS + 1 }, BY);
    expect(second.event).toMatchObject({
      type: 'environment.frozen',
      subject: 'prod',
      data: { version: 2, reason: 'longer', until: '2026-11-26T10:00:00.001Z' },
    });
    const third = unfreezeEnvironment({ ...PROD, freeze: second.freeze }, 'done', BY);
    expect(third.freeze).toMatchObject({ version: 3, endedAtMs: NOW_MS });
    expect(currentFreeze({ freeze: third.freeze }, NOW_MS)).toBeNull();
  });

  it('refuses what makes no sense', () => {
    expect(codeOf(() => freezeEnvironment(PROD, { reason: ' ', untilMs: null }, BY))).toBe('input.invalid');
    expect(codeOf(() => freezeEnvironment(PROD, { reason: 'x', untilMs: NOW_MS }, BY))).toBe('input.invalid');
    const tooFar = NOW_MS + FREEZE_MS_MAX + 1;
    expect(codeOf(() => freezeEnvironment(PROD, { reason: 'x', untilMs: tooFar }, BY))).toBe('input.invalid');
  });
});

describe('unfreezeEnvironment', () => {
  it('is refused when nothing is frozen, or the freeze has ended by itself', () => {
    expect(codeOf(() => unfreezeEnvironment(PROD, '', BY))).toBe('freeze.none');
    const { freeze } = freezeEnvironment(PROD, { reason: 'x', untilMs: NOW_MS + 5 }, BY);
    const later = { ...BY, nowMs: NOW_MS + 5 };
    expect(codeOf(() => unfreezeEnvironment({ ...PROD, freeze }, '', later))).toBe('freeze.none');
  });
});
