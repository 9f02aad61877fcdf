import { CAUSE_CODES } from '@stella/domain';
import { type AppError, isAppError } from '@stella/domain/client';
import { expect, it } from 'vitest';
import { drillOf, DRILLS, UNDRILLED } from './drills.ts';

it('says of every cause whether it can be drilled, once', () => {
  const told = [...DRILLS.map(({ cause }) => cause), ...Object.keys(UNDRILLED)];
  expect(told.sort()).toEqual([...CAUSE_CODES].sort());
});

it('knows why there is no drill', () => {
  const errorOf = (cause: string): AppError => {
    try {
      drillOf(cause);
    } catch (error) {
      if (isAppError(error, 'drill.unknown')) return error;
    }
    throw new Error(`${cause} is drilled`);
  };
  expect(errorOf('gate.slo').hint).toContain('gate.slow');
  expect(errorOf('database.slow').message).toContain('the database of all promotions');
  expect(drillOf('gate.slow').cause).toBe('gate.slow');
});
