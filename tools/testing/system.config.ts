/** Tests against real components from outside npm. Only `npm run test:system` runs them, one file at a time. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'system',
    include: ['test/system/**/*.test.ts'],
    globalSetup: ['tools/testing/build-programs.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
