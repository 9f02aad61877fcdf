/** What goes wrong in a seed and how often. Every seed draws its own: some see one kind of fault only, some see all. */
import type { SeededRandom } from '@stella/testkit';

/** Rates are chances in percent of one occasion, unless they say otherwise. */
export interface FaultMix {
  /** Of an entry into a worker's process: it dies there. */
  readonly kill: number;
  /** Per minute and worker: it stands still, for up to four leases. */
  readonly pausesPerMinute: number;
  /** Of a turn at the database: its answer to a commit is lost. */
  readonly ambiguousCommit: number;
  readonly serialization: number;
  readonly deadlock: number;
  readonly connectionReset: number;
  readonly poolExhausted: number;
  /** Of a turn: it takes seconds. */
  readonly slowDatabase: number;
  /** Restarts of PostgreSQL, and phases in which it takes no writes, per seed. */
  readonly restarts: number;
  readonly readOnlyPhases: number;
  /** Times that one server cannot reach the database while the others go on, per seed. */
  readonly partitions: number;
  /** Phases in which the database's disk is full, per seed. */
  readonly fullDisks: number;
  /** Targets that have seen a fence which the database lost, per seed. */
  readonly lostTails: number;
  /** Jumps of workers' wall clocks per seed. */
  readonly clockJumps: number;
  /** Of an attempt at a gate. */
  readonly gate: number;
  /** Of a call to a target. */
  readonly target: number;
  /** Of a deploy: its target runs something else, or is not healthy afterwards. */
  readonly badDeploy: number;
  /** Of a request that is repeated on its way: the copy arrives up to a minute later. */
  readonly lateCopy: number;
  readonly registry: number;
  /** Acts of people beside approving, per seed. */
  readonly interferences: number;
}

export const NO_FAULTS_AT_ALL: FaultMix = {
  kill: 0,
  pausesPerMinute: 0,
  ambiguousCommit: 0,
  serialization: 0,
  deadlock: 0,
  connectionReset: 0,
  poolExhausted: 0,
  slowDatabase: 0,
  restarts: 0,
  readOnlyPhases: 0,
  partitions: 0,
  fullDisks: 0,
  lostTails: 0,
  clockJumps: 0,
  gate: 0,
  target: 0,
  badDeploy: 0,
  lateCopy: 0,
  registry: 0,
  interferences: 0,
};

/** Chance that a kind of fault is in the mix at all. */
const PRESENT_PERCENT = 45;

export function drawFaultMix(random: SeededRandom): FaultMix {
  // One seed in twenty has none: what breaks there is no fault's fault.
  if (random.chance(5)) return NO_FAULTS_AT_ALL;
  const rate = (...levels: readonly number[]): number => (random.chance(PRESENT_PERCENT) ? random.pick(levels) : 0);
  return {
    kill: rate(0.02, 0.1, 0.4),
    pausesPerMinute: rate(0.5, 2),
    ambiguousCommit: rate(0.5, 3, 15),
    serialization: rate(0.5, 3, 10),
    deadlock: rate(0.5, 3),
    connectionReset: rate(0.3, 2, 8),
    poolExhausted: rate(0.5, 3),
    slowDatabase: rate(0.2, 1),
    restarts: rate(1, 2),
    readOnlyPhases: rate(1, 2),
    partitions: 0,
    fullDisks: 0,
    lostTails: 0,
    clockJumps: rate(2, 6),
    gate: rate(5, 20, 50),
    target: rate(3, 10, 30),
    badDeploy: rate(5, 20),
    lateCopy: rate(10, 40),
    registry: rate(3, 15),
    interferences: rate(3, 8, 16),
  };
}

/** Likewise, of kinds that came later: drawn aside, so that seeds without them stay what they were. */
const PRESENT_LATER_PERCENT = 20;

export function withMoreFaults(random: SeededRandom, mix: FaultMix): FaultMix {
  if (mix === NO_FAULTS_AT_ALL) return mix;
  const rate = (...levels: readonly number[]): number =>
    random.chance(PRESENT_LATER_PERCENT) ? random.pick(levels) : 0;
  return { ...mix, partitions: rate(1, 3), fullDisks: rate(1, 2), lostTails: rate(1, 3) };
}
