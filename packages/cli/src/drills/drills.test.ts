import { CAUSE_CODES } from '@stella/domain';
import { type AppError, isAppError } from '@stella/domain/client';
import { expect, it } from 'vitest';
import { drillId } from './drill.ts';
import { drillOf, DRILLS, UNDRILLED } from './drills.ts';

it('says of every cause whether it can be drilled, once', () => {
  const drilled = new Set<string>(DRILLS.map(({ cause }) => cause));
  expect([...drilled, ...Object.keys(UNDRILLED)].sort()).toEqual([...CAUSE_CODES].sort());
  expect(new Set(DRILLS.map(drillId)).size).toBe(DRILLS.length);
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
  expect(errorOf('database.slow').message).toContain('told only beside another trouble');
  expect(drillOf('gate.slow').cause).toBe('gate.slow');
});
