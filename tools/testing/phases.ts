/** What `npm test` and `npm run test:system` consist of, in order: cheap checks first. */
import type { CheckPhase, VitestPhase } from './run-phase.ts';

const MINUTE_MS = 60_000;

function npmProgram(name: string, program: string, args: readonly string[]): CheckPhase {
  return { name, program: `node_modules/.bin/${program}`, args, timeoutMs: 3 * MINUTE_MS };
}

export const CHECKS: readonly CheckPhase[] = [
  npmProgram('lint', 'tsx', ['tools/lint.ts']),
  npmProgram('types', 'tsc', ['--noEmit', '-p', 'tsconfig.json']),
  npmProgram('tidy', 'tsx', ['tools/tidy/main.ts']),
  npmProgram('fmt', 'biome', ['format', '.']),
];

/** Deadlines are several times what a phase takes on two cores: they end a hang, they measure nothing. */
export const TEST_PHASES: readonly VitestPhase[] = [
  { name: 'unit', args: ['--project', 'unit'], timeoutMs: 10 * MINUTE_MS },
  { name: 'simulation', args: ['--project', 'simulation'], timeoutMs: 45 * MINUTE_MS },
  { name: 'integration', args: ['--project', 'integration'], timeoutMs: 25 * MINUTE_MS },
  { name: 'crash', args: ['--project', 'crash'], timeoutMs: 30 * MINUTE_MS },
  { name: 'transcript', args: ['--project', 'transcript'], timeoutMs: 10 * MINUTE_MS },
];

export const SYSTEM_PHASE: VitestPhase = {
  name: 'system',
  args: ['--config', 'tools/testing/system.config.ts', '--root', '.'],
  // As long as torture takes that was asked for by its variables; each of its parts has its own deadline.
  timeoutMs: 120 * MINUTE_MS,
};
