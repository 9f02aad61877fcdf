/**
 * Which tests exist and how many files of a kind run at a time. `npm test` runs the projects one after another (see
 * `tools/testing/phases.ts`); `npx vitest run <path>` runs one file. Tests of
 * the whole system with real components are in `tools/testing/system.config.ts`.
 */
import { defineConfig } from 'vitest/config';

/** Two cores: more workers than that make tests with real deadlines wait for each other. */
const WORKERS_MAX = 2;

/** Of projects whose tests start servers, or the program itself. */
const PROGRAMS = 'tools/testing/build-programs.ts';

export default defineConfig({
  test: {
    maxWorkers: WORKERS_MAX,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'tools/**/*.test.ts', 'examples/**/*.test.ts', 'bench/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['packages/*/test/**/*.test.ts'],
          exclude: ['packages/*/test/{crash,simulation,transcripts}/**'],
          globalSetup: [PROGRAMS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'crash',
          include: ['packages/*/test/crash/**/*.test.ts'],
          globalSetup: [PROGRAMS],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['packages/*/test/simulation/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'transcript',
          include: ['packages/*/test/transcripts/**/*.test.ts'],
          globalSetup: [PROGRAMS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
