/** How soon seeds find each bug that is planted on purpose. */
import { PLANTED_BUGS, type PlantedBug } from '@stella/domain';
import { availableParallelism } from 'node:os';
import { ask, startRunner } from './run-seeds.ts';

/** A bug that so many seeds do not find counts as not found. */
export const PLANTED_SEEDS_MAX = 500;
const CHUNK_SEEDS = 10;

export interface PlantedFinding {
  readonly bug: PlantedBug;
  /** The first seed that finds it; null: none of them. */
  readonly seed: number | null;
  readonly property: string;
  readonly message: string;
}

/** Bugs share the processes; each is looked for on its own, from seed 1 on. */
export async function findPlanted(
  bugs: readonly PlantedBug[] = PLANTED_BUGS,
  onFound: (finding: PlantedFinding) => void = () => undefined,
): Promise<PlantedFinding[]> {
  const waiting = [...bugs];
  const findings: PlantedFinding[] = [];
  const work = async (): Promise<void> => {
    const child = startRunner();
    try {
      for (let bug = waiting.shift(); bug; bug = waiting.shift()) {
        const finding = await findOne(child, bug);
        findings.push(finding);
        onFound(finding);
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), bugs.length) }, work));
  return findings.sort((a, b) => PLANTED_BUGS.indexOf(a.bug) - PLANTED_BUGS.indexOf(b.bug));
}

async function findOne(child: ReturnType<typeof startRunner>, bug: PlantedBug): Promise<PlantedFinding> {
  for (let from = 1; from <= PLANTED_SEEDS_MAX; from += CHUNK_SEEDS) {
    const seeds = Array.from({ length: CHUNK_SEEDS }, (_, index) => from + index);
    const { violations } = await ask(child, { seeds, mode: 'both', stopsAtViolation: true, planted: bug });
    const [first] = violations;
    if (first) return { bug, seed: first.seed, property: first.property, message: first.message };
  }
  return { bug, seed: null, property: '', message: '' };
}
