/** Every order of statements of every pair of write transactions, on a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbeddedPostgres } from '../../../src/postgres/embedded-postgres.ts';
import { makeTemporaryDirectory, startPostgresIn } from '../postgres-fixture.ts';
import { runPairs } from './run-pairs.ts';

/** A larger search takes as long as its arguments ask for. */
const PAIRS_TIMEOUT_MS = 4 * 60 * 60_000;
/**
 * So many orders of each pair are tried each time. `INTERLEAVINGS_PER_PAIR=1000000 npx vitest run <this file>` tries all
 * that differ, with `INTERLEAVINGS_WHOLE=1` literally all; `INTERLEAVINGS_OF='claim.* \+ cancel'` only pairs of which the
 * pattern tells.
 */
const RUNS_PER_PAIR = 2;

let directory: ReturnType<typeof makeTemporaryDirectory>;
let postgres: EmbeddedPostgres;
beforeAll(async () => {
  directory = makeTemporaryDirectory();
  postgres = await startPostgresIn(directory.path);
});
afterAll(async () => {
  await postgres.stop();
  directory.remove();
});

describe('two write transactions', () => {
  it(
    'end like one after the other, in every order of their statements',
    async () => {
      const place = { kind: 'socket', directory: postgres.socketDirectory, database: postgres.databaseName } as const;
      const report = await runPairs(
        {
          owner: { ...place, user: postgres.ownerRole },
          app: { ...place, user: postgres.appRole },
          appRole: postgres.appRole,
        },
        {
          isWhole: process.env['INTERLEAVINGS_WHOLE'] === '1',
          runsMax: Number(process.env['INTERLEAVINGS_PER_PAIR'] ?? RUNS_PER_PAIR),
          only: process.env['INTERLEAVINGS_OF'] ?? '',
          onPair: (words) => process.stdout.write(`${words}\n`),
        },
      );
      process.stdout.write(`${JSON.stringify({ ...report, violations: report.violations.length })}\n`);
      expect(report.violations.slice(0, 5).join('\n')).toBe('');
      expect(report.interleavings).toBeGreaterThan(report.pairs);
    },
    PAIRS_TIMEOUT_MS,
  );
});
