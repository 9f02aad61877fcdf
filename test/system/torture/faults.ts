/** What is done to the servers and to PostgreSQL while they work, one thing after another and some at the same time. */
import { ENGINE_FAULT_POINTS } from '../../../packages/server/src/engine/fault-points.ts';
import { PORT_FAULT_POINTS, STATEMENT_FAULT_POINTS } from '../../../packages/server/src/faults/fault-points.ts';
import { TARGET_FAULT_POINTS } from '../../../packages/server/src/targets/fault-points.ts';
import { pause } from './load.ts';
import type { TorturePlan } from './plan.ts';
import type { SeededRandom } from './random.ts';
import type { Replica } from './replica.ts';
import type { TakeoverWatch } from './takeovers.ts';
import type { World } from './world.ts';

const LEASE_MS = 15_000;
/** A point that is not passed by then is left for another. */
const POINT_PATIENCE_MS = 2_000;
/** This load does not pass every point; one that was waited for so often is not tried again. */
const POINT_TRIES_MAX = 3;
/** Of a point's first trial; the later ones take the first. */
const HITS_MAX = 4;
const POINT_PERCENT = 60;
const FULL_MS = 4_000;
const CUT_MS = [8_000, 35_000] as const;

export interface FaultCounts {
  serverKills: number;
  /** Of them, those at a fault point. */
  pointKills: number;
  backendKills: number;
  postmasterKills: number;
  pauses: number;
  partitions: number;
  fullTargetDisks: number;
  fullWalDisks: number;
}

export interface Faults {
  readonly counts: FaultCounts;
  /** Points at which a server died. */
  readonly points: ReadonlySet<string>;
  /** Neither down, nor paused, nor cut off. */
  readonly working: () => readonly Replica[];
  /** Until the plan is fulfilled; everything is whole again then. Rejects when there is no end in time. */
  run(): Promise<void>;
}

interface Making {
  readonly plan: TorturePlan;
  readonly world: World;
  readonly random: SeededRandom;
  readonly takeovers: TakeoverWatch;
}

interface State extends Making {
  readonly counts: FaultCounts;
  readonly points: Set<string>;
  /** Paused or cut off: left alone. */
  readonly busy: Set<Replica>;
  readonly running: Set<Promise<void>>;
  /** Points still to be met, those that were tried least often first. */
  readonly queue: string[];
  readonly tries: Map<string, number>;
}

const POINTS: readonly string[] = [
  ...ENGINE_FAULT_POINTS,
  ...TARGET_FAULT_POINTS,
  ...PORT_FAULT_POINTS,
  ...STATEMENT_FAULT_POINTS,
];

export function makeFaults(making: Making): Faults {
  const counts: FaultCounts = {
    serverKills: 0,
    pointKills: 0,
    backendKills: 0,
    postmasterKills: 0,
    pauses: 0,
    partitions: 0,
    fullTargetDisks: 0,
    fullWalDisks: 0,
  };
  const state: State = {
    ...making,
    counts,
    points: new Set(),
    busy: new Set(),
    running: new Set(),
    queue: shuffled(making.random),
    tries: new Map(),
  };
  return { counts, points: state.points, working: () => idle(state), run: () => run(state) };
}

async function run(state: State): Promise<void> {
  const { plan, random } = state;
  const endsAtMs = performance.now() + plan.timeoutMs;
  for (let wanted = missing(state); wanted.length > 0; wanted = missing(state)) {
    if (performance.now() > endsAtMs) throw new Error(`not through in time; still wanted: ${wanted.join(', ')}`);
    await pause(plan.faultEveryMs * (0.5 + random.fraction()));
    if (state.world.postgres.pid() === null) await state.world.postgres.start();
    await random.pick(wanted)(state);
  }
  await Promise.all(state.running);
}

function shuffled(random: SeededRandom): string[] {
  return POINTS.map((point) => ({ point, at: random.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ point }) => point);
}

type Fault = (state: State) => Promise<void>;

/** Each as often as it is still wanted, so that all of them are spread over the run. */
function missing({ plan, counts }: State): readonly Fault[] {
  const wanted: readonly (readonly [number, Fault])[] = [
    [plan.serverKills - counts.serverKills, killServer],
    [plan.postgresKills - counts.backendKills - counts.postmasterKills, killPostgres],
    [plan.pauses - counts.pauses, pauseServer],
    [plan.partitions - counts.partitions, cutOff],
    [plan.fullDisks - counts.fullTargetDisks, fillTargets],
    [plan.fullDisks - counts.fullWalDisks, fillWal],
  ];
  return wanted.flatMap(([count, fault]) => Array.from({ length: Math.max(0, count) }, () => fault));
}

function idle({ world, busy }: State): readonly Replica[] {
  return world.replicas.filter((replica) => replica.isUp() && !busy.has(replica));
}

async function killServer(state: State): Promise<void> {
  const { counts, random } = state;
  const candidates = idle(state);
  // One other lives: who takes over is what is tested, and the work goes on however slow the machine is.
  if (candidates.length < 2) return;
  const replica = random.pick(candidates);
  const workerId = replica.workerId();
  if (random.chance(POINT_PERCENT)) {
    if (!(await dieAtPoint(state, replica))) return;
    counts.pointKills += 1;
  } else {
    replica.signal('SIGKILL');
  }
  counts.serverKills += 1;
  if (workerId !== null) state.takeovers.begin('killed', workerId, performance.now());
}

/** False: the point was not passed in time. */
async function dieAtPoint(state: State, replica: Replica): Promise<boolean> {
  const { queue, random, points, tries } = state;
  const point = queue.shift() ?? random.pick([...points]);
  const tryCount = (tries.get(point) ?? 0) + 1;
  tries.set(point, tryCount);
  replica.arm({ point, hit: tryCount === 1 ? random.between(1, HITS_MAX) : 1 });
  const endsAtMs = performance.now() + POINT_PATIENCE_MS;
  while (replica.isUp() && performance.now() < endsAtMs) await pause(20);
  if (replica.isUp()) {
    replica.arm({ point: '', hit: 1 });
    if (tryCount < POINT_TRIES_MAX && !points.has(point)) queue.push(point);
    return false;
  }
  points.add(point);
  return true;
}

async function killPostgres(state: State): Promise<void> {
  const { counts, random, world } = state;
  if (world.postgres.pid() === null || idle(state).length < 2) return;
  if (random.chance(50)) {
    counts.postmasterKills += 1;
    await world.postgres.kill();
    await world.postgres.start();
    return;
  }
  const rows = await world.witness.ask<{ pid: number }>(
    `select pid from pg_stat_activity where usename = 'stella_app' order by pid`,
  );
  if (!rows || rows.length === 0) return;
  counts.backendKills += 1;
  process.kill(random.pick(rows).pid, 'SIGKILL');
}

/** Longer than its lease: its promotions go to others, and it must notice when it wakes up. */
async function pauseServer(state: State): Promise<void> {
  const { counts, random, busy, takeovers } = state;
  const candidates = idle(state);
  if (candidates.length < 2) return;
  const replica = random.pick(candidates);
  const workerId = replica.workerId();
  counts.pauses += 1;
  busy.add(replica);
  replica.signal('SIGSTOP');
  if (workerId !== null) takeovers.begin('paused', workerId, performance.now());
  track(state, async () => {
    await pause(LEASE_MS * (1.5 + 2.5 * random.fraction()));
    replica.signal('SIGCONT');
    busy.delete(replica);
  });
}

async function cutOff(state: State): Promise<void> {
  const { counts, random, busy, world, takeovers } = state;
  const replica = world.replicas.at(-1);
  if (!replica || busy.has(replica) || !replica.isUp()) return;
  const workerId = replica.workerId();
  counts.partitions += 1;
  busy.add(replica);
  await world.island.cutOff();
  if (workerId !== null) takeovers.begin('cut off', workerId, performance.now());
  track(state, async () => {
    await pause(random.between(...CUT_MS));
    await world.island.reconnect();
    busy.delete(replica);
  });
}

async function fillTargets(state: State): Promise<void> {
  state.counts.fullTargetDisks += 1;
  await state.world.targetDisk.fill();
  track(state, async () => {
    await pause(FULL_MS);
    await state.world.targetDisk.free();
  });
}

/** PostgreSQL panics when it cannot write its log, and gives up when it cannot recover either. */
async function fillWal(state: State): Promise<void> {
  const { postgres, walDisk } = state.world;
  state.counts.fullWalDisks += 1;
  await walDisk.fill();
  await pause(FULL_MS);
  await walDisk.free();
  await pause(FULL_MS);
  if (postgres.pid() === null) await postgres.start();
}

function track(state: State, work: () => Promise<void>): void {
  const running = work();
  state.running.add(running);
  void running.finally(() => state.running.delete(running));
}
