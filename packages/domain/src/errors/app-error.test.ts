import { describe, expect, it } from 'vitest';
import { AppError, isAppError } from './app-error.ts';
import { ERROR_KINDS } from './codes/error-entry.ts';
import { ERROR_CODES, type ErrorCode, EXIT_CODE_BY_KIND, HTTP_STATUS_BY_KIND } from './error-codes.ts';

// The table's keys are its codes.
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

describe('AppError', () => {
  it('fills in what the template and the hint name', () => {
    const error = new AppError('promotion.not_in_predecessor', {
      details: { release: 'shop-2', environment: 'prod', predecessor: 'staging' },
    });
    expect(error.message).toBe('release shop-2 has not completed in staging, which prod promotes from');
    expect(error.hint).toBe('promote it there first: stella promotion create --release shop-2 --to staging');
    expect(error.kind).toBe('Conflict');
  });

  it('leaves a placeholder that nobody filled, and writes values that are no text as JSON', () => {
    const error = new AppError('apply.cycle', { details: { cycle: ['a', 'b'] } });
    expect(error.message).toBe('the environments promote in a circle: ["a","b"]');
    expect(new AppError('apply.cycle').message).toContain('{cycle}');
  });

  it('does not read placeholders in what it fills in', () => {
    const error = new AppError('gate.not_found', { details: { promotionId: '{name}', name: '$&' } });
    expect(error.message).toBe('promotion {name} has no gate "$&"');
  });

  it('prefers a more exact hint, and keeps the cause', () => {
    const cause = new Error('below');
    const error = new AppError('internal', { hint: 'look there', cause });
    expect(error.hint).toBe('look there');
    expect(error.cause).toBe(cause);
    expect('cause' in new AppError('internal')).toBe(false);
  });
});

describe('isAppError', () => {
  it('tells codes apart', () => {
    const error = new AppError('lock.not_found');
    expect(isAppError(error)).toBe(true);
    expect(isAppError(error, 'lock.not_found')).toBe(true);
    expect(isAppError(error, 'gate.not_found')).toBe(false);
    expect(isAppError(new Error('lock.not_found'))).toBe(false);
    expect(isAppError(null)).toBe(false);
  });
});

describe('ERROR_CODES', () => {
  it.each(CODES)('%s has a kind with status and exit code, and words', (code) => {
    const { kind, template, hint } = ERROR_CODES[code];
    expect(ERROR_KINDS).toContain(kind);
    expect(HTTP_STATUS_BY_KIND[kind]).toBeGreaterThanOrEqual(400);
    expect(EXIT_CODE_BY_KIND[kind]).toBeGreaterThan(0);
    expect(template).toMatch(/\S/);
    expect(hint).toMatch(/\S/);
    // A message begins in lower case, or with a quoted value or a name of the outside world.
    expect(template).toMatch(/^([a-z"{]|PostgreSQL)/);
    expect(template).not.toMatch(/\.$/);
  });
});
