/** A longer stretch of the exhaustive search than `npm test` has time for. */
import { describe, expect, it } from 'vitest';
import { search } from '../../packages/server/test/exhaustive/search.ts';

/** Several times what it takes on an idle core. */
const TIMEOUT_MS = 1_200_000;
const STATES_MAX = 100_000;

describe('the search over all states', () => {
  for (const kind of ['contention', 'row'] as const) {
    it(`of a ${kind}: no state breaks a rule`, { timeout: TIMEOUT_MS }, () => {
      const report = search({ kind, crashes: 2, skips: 1, gates: 2, statesMax: STATES_MAX });
      process.stdout.write(`${JSON.stringify({ kind, ...report })}\n`);
      expect(report.first).toBeNull();
      expect(report.closed || report.states >= STATES_MAX).toBe(true);
    });
  }
});
