/**
 * The child process that runs seeds for `run-seeds.ts`: one chunk at a time, on one core. It answers each chunk with
 * sums, and each broken promise as it comes.
 */
import { isDeepStrictEqual } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { type PlantedBug, plantBug } from '@stella/domain';
import { addCounts } from './journal.ts';
import { runSeed, type SeedResult } from './run-seed.ts';
import type { SimulationMode } from './seed-plan.ts';

/** Every so many seeds one is run twice: the same seed must be the same run. */
const TWICE_EVERY = 100;

export interface ChunkOrder {
  readonly seeds: readonly number[];
  readonly mode: SimulationMode | 'both';
  /** The rest of the chunk is left out after the first broken promise. */
  readonly stopsAtViolation: boolean;
  /** A bug on purpose, which the seeds are to find. */
  readonly planted: PlantedBug | null;
}

export interface SeedViolation {
  readonly seed: number;
  readonly mode: SimulationMode;
  readonly property: string;
  readonly message: string;
}

export interface ChunkReport {
  readonly seedCount: number;
  readonly twiceCount: number;
  readonly faultCount: number;
  readonly virtualMs: number;
  readonly promotionCount: number;
  readonly violations: readonly SeedViolation[];
  readonly reached: readonly (readonly [string, number])[];
}

export async function runChunk({ seeds, mode, stopsAtViolation, planted }: ChunkOrder): Promise<ChunkReport> {
  plantBug(planted);
  const reached = new Map<string, number>();
  const violations: SeedViolation[] = [];
  const sums = { seedCount: 0, twiceCount: 0, faultCount: 0, virtualMs: 0, promotionCount: 0 };
  for (const seed of seeds) {
    const result = await runSeed(seed, mode);
    sums.seedCount += 1;
    sums.faultCount += result.faultCount;
    sums.virtualMs += result.virtualMs;
    sums.promotionCount += result.promotionCount;
    addCounts(reached, result.reached);
    if (result.violation) violations.push({ seed, mode: result.mode, ...result.violation });
    if (seed % TWICE_EVERY === 0) {
      sums.twiceCount += 1;
      violations.push(...(await compareWithSecondRun(result, mode)));
    }
    if (stopsAtViolation && violations.length > 0) break;
  }
  return { ...sums, violations, reached: [...reached] };
}

async function compareWithSecondRun(first: SeedResult, mode: SimulationMode | 'both'): Promise<SeedViolation[]> {
  const second = await runSeed(first.seed, mode);
  if (second.traceHash === first.traceHash && isDeepStrictEqual(second.reached, first.reached)) return [];
  const message = `the second run has the trace ${second.traceHash}, the first had ${first.traceHash}`;
  return [{ seed: first.seed, mode: first.mode, property: 'determinism', message }];
}

if (isMainThread && process.send) {
  process.on('message', (order: ChunkOrder) => {
    void runChunk(order).then((report) => process.send?.(report));
  });
  // Whoever ordered the seeds is gone.
  process.on('disconnect', () => process.exit(0));
}
