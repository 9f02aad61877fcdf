/**
 * `npm run test:simulation -- --seeds N --from S [--mode safety|liveness|both]`: progress on stderr, each broken promise
 * with the command that runs it again, and one JSON object as the last line. Ends with 1 when a promise was broken.
 */
import { parseArgs } from 'node:util';
import { PLANTED_BUGS, type PlantedBug } from '@stella/domain';
import { findPlanted, PLANTED_SEEDS_MAX, type PlantedFinding } from './find-planted.ts';
import { rememberFailingSeeds, readFailingSeeds } from './failing-seeds.ts';
import { runSeed } from './run-seed.ts';
import { runSeeds, type SeedSums } from './run-seeds.ts';
import { SIMULATION_MODES, type SimulationMode } from './seed-plan.ts';
import type { SeedViolation } from './seed-runner.ts';

const PROGRESS_EVERY_MS = 5_000;
const MINUTE_MS = 60_000;

interface Order {
  readonly seeds: number;
  readonly from: number;
  readonly mode: SimulationMode | 'both';
  /** Bugs on purpose to look for; null: none. */
  readonly planted: readonly PlantedBug[] | null;
}

function readOrder(): Order {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      mode: { type: 'string', default: 'both' },
      planted: { type: 'string' },
    },
  });
  const mode = [...SIMULATION_MODES, 'both' as const].find((one) => one === values.mode);
  if (mode === undefined) throw new Error(`--mode is one of ${SIMULATION_MODES.join(', ')}, both`);
  return {
    seeds: countOf('--seeds', values.seeds),
    from: countOf('--from', values.from),
    mode,
    planted: bugsOf(values.planted),
  };
}

function bugsOf(text: string | undefined): readonly PlantedBug[] | null {
  if (text === undefined) return null;
  if (text === 'all') return PLANTED_BUGS;
  const bug = PLANTED_BUGS.find((one) => one === text);
  if (bug === undefined) throw new Error(`--planted is all, or one of ${PLANTED_BUGS.join(', ')}`);
  return [bug];
}

function countOf(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} is a whole number, not "${text}"`);
  return Number(text);
}

function tell(violation: SeedViolation): void {
  const { seed, mode, property, message } = violation;
  process.stderr.write(`\nseed ${seed} (${mode}) broke ${property}: ${message}\n`);
  process.stderr.write(`  run it again: npm run test:simulation -- --seeds 1 --from ${seed} --mode ${mode}\n`);
}

async function runFailingSeeds(): Promise<SeedViolation[]> {
  const violations: SeedViolation[] = [];
  for (const { seed, mode } of readFailingSeeds()) {
    const { violation } = await runSeed(seed, mode);
    if (violation) violations.push({ seed, mode, ...violation });
  }
  return violations;
}

/** Progress now and then, and each broken promise once. */
function makeTeller(total: number): (sums: SeedSums) => void {
  let toldAtMs = 0;
  let toldCount = 0;
  return ({ seedCount, violations }) => {
    for (const violation of violations.slice(toldCount)) tell(violation);
    toldCount = violations.length;
    const nowMs = performance.now();
    if (nowMs - toldAtMs < PROGRESS_EVERY_MS) return;
    toldAtMs = nowMs;
    process.stderr.write(`${seedCount} of ${total} seeds, ${violations.length} violations\n`);
  };
}

/** A table of bugs that were planted and who found them. Ends with 1 when too many were found by no seed. */
async function lookForPlanted(bugs: readonly PlantedBug[]): Promise<void> {
  const show = ({ bug, seed, property, message }: PlantedFinding): void => {
    const [words = ''] = message.split('\n');
    console.log(
      `${bug.padEnd(30)} ${String(seed ?? 'not found').padEnd(10)} ${property.padEnd(8)} ${words.slice(0, 110)}`,
    );
  };
  const findings = await findPlanted(bugs, show);
  const foundCount = findings.filter(({ seed }) => seed !== null).length;
  console.log(JSON.stringify({ planted: findings.length, found: foundCount, within: PLANTED_SEEDS_MAX }));
  process.exitCode = foundCount < findings.length ? 1 : 0;
}

async function runOrdered({ seeds, from, mode }: Order): Promise<void> {
  const again = await runFailingSeeds();
  for (const violation of again) tell(violation);
  const sums = await runSeeds({ from, count: seeds, mode, onChunk: makeTeller(seeds) });
  rememberFailingSeeds(sums.violations);
  const violationCount = again.length + sums.violations.length;
  console.log(
    JSON.stringify({
      seeds: sums.seedCount,
      faults: sums.faultCount,
      violations: violationCount,
      virtualMinutes: Math.round(sums.virtualMs / MINUTE_MS),
    }),
  );
  process.exitCode = violationCount > 0 ? 1 : 0;
}

const order = readOrder();
if (order.planted) await lookForPlanted(order.planted);
else await runOrdered(order);
