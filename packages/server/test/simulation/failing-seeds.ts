/** Seeds that once broke a promise: a file in the repository, run first and for ever. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SIMULATION_MODES, type SimulationMode } from './seed-plan.ts';
import type { SeedViolation } from './seed-runner.ts';

const FILE = join(import.meta.dirname, 'failing-seeds.txt');

export interface FailingSeed {
  readonly seed: number;
  readonly mode: SimulationMode;
}

/** Lines `<seed> <mode> <property>: <what was seen>`; `#` begins a comment. */
export function readFailingSeeds(): FailingSeed[] {
  return readFileSync(FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [seed = '', word = ''] = line.split(' ');
      const mode = SIMULATION_MODES.find((one) => one === word);
      if (!/^\d+$/.test(seed) || mode === undefined) throw new Error(`${FILE}: "${line}" is no seed and mode`);
      return { seed: Number(seed), mode };
    });
}

/** Adds those that are not there yet. */
export function rememberFailingSeeds(violations: readonly SeedViolation[]): void {
  const known = new Set(readFailingSeeds().map(({ seed, mode }) => `${seed} ${mode}`));
  for (const { seed, mode, property, message } of violations) {
    if (known.has(`${seed} ${mode}`)) continue;
    known.add(`${seed} ${mode}`);
    const [words = ''] = message.split('\n');
    appendFileSync(FILE, `${seed} ${mode} ${property}: ${words.slice(0, 160)}\n`);
  }
}
