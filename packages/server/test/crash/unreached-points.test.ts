/** Statements of the store that no request leads to yet: there is nothing to kill a server in. */
import { ROUTES } from '@stella/contract';
import { describe, expect, it } from 'vitest';
import type { StatementFaultPoint } from '../../src/faults/fault-points.ts';

/** The route that will lead to them; then they belong into a scenario. */
const BY_ROUTE: Readonly<Record<string, readonly StatementFaultPoint[]>> = {
  skipGate: ['sql.skips_write', 'sql.debts_write'],
};

describe('fault points that no request reaches', () => {
  it.each(Object.entries(BY_ROUTE))('wait for the route %s: %s', (route) => {
    expect(Object.keys(ROUTES)).not.toContain(route);
  });
});
