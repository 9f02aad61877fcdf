/** Counts of a test run, as `npm test` reports them. */
export interface Tally {
  readonly passed: number;
  /** Names of what failed. */
  readonly failed: readonly string[];
  /** Names of what was skipped; each says which component is missing. */
  readonly skipped: readonly string[];
}

export const NOTHING: Tally = { passed: 0, failed: [], skipped: [] };

export function addTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
    failed: tallies.flatMap((tally) => tally.failed),
    skipped: tallies.flatMap((tally) => tally.skipped),
  };
}

/** One line per failed and skipped name, then always the counts as the last line. */
export function formatTally(tally: Tally): string {
  return [
    ...tally.skipped.map((name) => `skipped: ${name}`),
    ...tally.failed.map((name) => `failed: ${name}`),
    `${tally.passed} passed, ${tally.failed.length} failed, ${tally.skipped.length} skipped`,
  ].join('\n');
}
