/** Many seeds on all cores: chunks go to child processes, sums come back. */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addCounts } from './journal.ts';
import type { ChunkOrder, ChunkReport, SeedViolation } from './seed-runner.ts';
import type { SimulationMode } from './seed-plan.ts';

/** Short enough for a lively progress, long enough that messages cost nothing. */
const CHUNK_SEEDS = 10;
/** A chunk takes seconds; one that takes so long hangs. */
const CHUNK_TIMEOUT_MS = 10 * 60_000;
/** Young objects die young here: a nursery that is large from the beginning saves a quarter of the time. */
const NODE_FLAGS = ['--max-semi-space-size=128', '--min-semi-space-size=64'];

export interface SeedsOrder {
  readonly from: number;
  readonly count: number;
  readonly mode: SimulationMode | 'both';
  readonly processCount?: number;
  readonly onChunk?: (sums: SeedSums) => void;
}

export interface SeedSums {
  readonly seedCount: number;
  readonly twiceCount: number;
  readonly faultCount: number;
  readonly virtualMs: number;
  readonly promotionCount: number;
  readonly violations: readonly SeedViolation[];
  readonly reached: ReadonlyMap<string, number>;
}

export async function runSeeds(order: SeedsOrder): Promise<SeedSums> {
  const chunks = chunksOf(order);
  const sums = makeSums();
  const processCount = Math.min(order.processCount ?? availableParallelism(), chunks.length);
  const work = async (): Promise<void> => {
    const child = startRunner();
    try {
      for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) {
        addReport(sums, await ask(child, { seeds: chunk, mode: order.mode, stopsAtViolation: false, planted: null }));
        order.onChunk?.(sums);
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: processCount }, work));
  return sums;
}

interface MutableSums {
  seedCount: number;
  twiceCount: number;
  faultCount: number;
  virtualMs: number;
  promotionCount: number;
  readonly violations: SeedViolation[];
  readonly reached: Map<string, number>;
}

function makeSums(): MutableSums {
  const numbers = { seedCount: 0, twiceCount: 0, faultCount: 0, virtualMs: 0, promotionCount: 0 };
  return { ...numbers, violations: [], reached: new Map() };
}

function addReport(sums: MutableSums, report: ChunkReport): void {
  sums.seedCount += report.seedCount;
  sums.twiceCount += report.twiceCount;
  sums.faultCount += report.faultCount;
  sums.virtualMs += report.virtualMs;
  sums.promotionCount += report.promotionCount;
  sums.violations.push(...report.violations);
  addCounts(sums.reached, report.reached);
}

function chunksOf({ from, count }: SeedsOrder): number[][] {
  const chunks: number[][] = [];
  for (let first = from; first < from + count; first += CHUNK_SEEDS) {
    const length = Math.min(CHUNK_SEEDS, from + count - first);
    chunks.push(Array.from({ length }, (_, index) => first + index));
  }
  return chunks;
}

export function startRunner(): ChildProcess {
  return fork(join(import.meta.dirname, 'seed-runner.ts'), {
    execArgv: ['--import', import.meta.resolve('tsx'), ...NODE_FLAGS],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** Rejects when the child ends, or does not answer in time. */
export function ask(child: ChildProcess, order: ChunkOrder): Promise<ChunkReport> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      child.off('message', answer);
      child.off('exit', leave);
      settle();
    };
    const answer = (report: unknown): void => {
      // The runner sends nothing else.
      end(() => resolve(report as ChunkReport));
    };
    const leave = (code: number | null): void => end(() => reject(new Error(`the runner ended with ${code}`)));
    const timer = setTimeout(
      () => end(() => reject(new Error(`seeds ${order.seeds.join(', ')} did not end within ${CHUNK_TIMEOUT_MS} ms`))),
      CHUNK_TIMEOUT_MS,
    );
    child.on('message', answer);
    child.on('exit', leave);
    child.send(order);
  });
}
