import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAppError } from '../errors/app-error.ts';
import { DURATION_MS_MAX, formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['1ms', 1],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1d1h1m1s1ms', 90_061_001],
    ['007s', 7_000],
    ['3650d', DURATION_MS_MAX],
  ])('reads %s', (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });

  it.each([
    '',
    '5',
    's',
    '5 m',
    ' 5m',
    '5m ',
    '5m\n',
    '1.5h',
    '-5m',
    '+5m',
    '5M',
    '30m1h',
    '1m1m',
    '5min',
    '1h30',
    'h1',
    '3651d',
    '3650d1ms',
    '٣m',
    '1'.repeat(39).concat('s'),
    `${'0'.repeat(100)}1s`,
  ])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'input.duration' }));
  });

  it('answers a number or the one error, whatever the text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9dhms .-]{0,45}$/), (text) => {
        expect(endOf(text)).toBe('as promised');
      }),
    );
  });
});

/** What came of a text: a number in range or the one error, or else what was wrong. */
function endOf(text: string): string {
  try {
    const durationMs = parseDuration(text);
    const isInRange = Number.isSafeInteger(durationMs) && durationMs >= 0 && durationMs <= DURATION_MS_MAX;
    return isInRange ? 'as promised' : String(durationMs);
  } catch (error) {
    return isAppError(error, 'input.duration') ? 'as promised' : String(error);
  }
}

describe('formatDuration', () => {
  it('is undone by parseDuration', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: DURATION_MS_MAX }), (durationMs) => {
        expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });

  it.each([
    [0, '0s'],
    [-5, '0s'],
    [0.2, '1ms'],
    [5_400_000, '1h30m'],
    [86_400_001, '1d1ms'],
  ])('writes %s ms as %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});
