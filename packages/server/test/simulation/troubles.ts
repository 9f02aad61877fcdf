/** Troubles that come at a moment and not with a call: processes that stand still, clocks that jump, a database that goes. */
import type { MemoryState } from '@stella/testkit';
import type { Journal } from './journal.ts';
import type { SeedPlan } from './seed-plan.ts';
import type { SimulatedDatabase } from './simulated-database.ts';
import type { SimulatedServer } from './simulated-server.ts';
import type { Scheduler } from './scheduler.ts';
import { loseTailOf, type Machine } from './simulated-targets.ts';

/** Four leases: long enough that every other worker has taken over. */
const PAUSE_MS_MAX = 60_000;
/** A watchdog thread ends a process whose loop is blocked for so long; one that is stopped has no watchdog either. */
const WATCHDOG_MS = 60_000;
/** Four leases again. */
const PARTITION_MS_MAX = 60_000;
/** More than any seed draws by itself. */
const LOST_FENCES = 10_000;
const CLOCK_JUMP_MS_MAX = 3_600_000;
const MINUTE_MS = 60_000;

export interface TroubleWorld {
  readonly scheduler: Scheduler;
  readonly plan: SeedPlan;
  readonly servers: readonly SimulatedServer[];
  readonly database: SimulatedDatabase;
  readonly journal: Journal;
  readonly state: MemoryState;
  readonly machines: ReadonlyMap<string, Machine>;
}

export function planTroubles(world: TroubleWorld): void {
  const { scheduler, plan, servers, database } = world;
  const { mix, faultsEndAfterMs } = plan;
  const { random } = scheduler;
  const sometime = (run: () => void): void => void scheduler.after(random.between(0, faultsEndAfterMs), run);
  const anyServer = (): SimulatedServer => random.pick(servers);
  const pauses = Math.ceil((mix.pausesPerMinute * servers.length * faultsEndAfterMs) / MINUTE_MS);
  for (let n = 0; n < pauses; n += 1) sometime(() => pause(world, anyServer()));
  for (let n = 0; n < mix.restarts; n += 1) sometime(() => database.restart());
  for (let n = 0; n < mix.readOnlyPhases; n += 1) sometime(() => database.makeReadOnly());
  for (let n = 0; n < mix.clockJumps; n += 1) {
    sometime(() => {
      world.journal.fault('clock.jump');
      anyServer().process.setSkew(random.between(-CLOCK_JUMP_MS_MAX, CLOCK_JUMP_MS_MAX));
    });
  }
  if (mix.kill > 0) {
    // At a moment, too: while a process only waits, no entry comes by at which it could die.
    for (let n = 0; n < 3; n += 1) sometime(() => anyServer().kill());
    sometime(() => anyServer().loseSession());
    sometime(() => anyServer().drain());
  }
  for (let n = 0; n < mix.partitions; n += 1) sometime(() => cutOff(world, anyServer()));
  for (let n = 0; n < mix.fullDisks; n += 1) sometime(() => database.fillDisk());
  for (let n = 0; n < mix.lostTails; n += 1) sometime(() => loseTail(world));
}

function pause({ scheduler, plan, journal }: TroubleWorld, { process }: SimulatedServer): void {
  const { random } = scheduler;
  if (process.isPaused() || !process.isAlive()) return;
  const isBlocked = random.chance(30);
  journal.fault(isBlocked ? 'process.blocked' : 'process.stopped');
  const leftMs = plan.faultsEndAfterMs;
  const lengthMs = Math.min(
    random.chance(50) ? random.between(10, 5_000) : random.between(5_000, PAUSE_MS_MAX),
    leftMs,
  );
  process.pause();
  scheduler.after(lengthMs, () => {
    if (isBlocked && lengthMs >= WATCHDOG_MS) process.kill();
    else process.resume();
  });
}

function cutOff({ scheduler: { random }, database }: TroubleWorld, server: SimulatedServer): void {
  database.cutOff(server, random.chance(40) ? random.between(100, 8_000) : random.between(8_000, PARTITION_MS_MAX));
}

/** As after an asynchronous fail-over: one target is ahead of the database. */
function loseTail({ scheduler: { random }, machines, state, journal }: TroubleWorld): void {
  journal.fault('database.lost_tail');
  const machine = random.pick([...machines.values()]);
  const fence = { epoch: state.fenceEpoch, n: state.lastFence + LOST_FENCES };
  loseTailOf(machine, fence, random.chance(50) ? `prm_lost.deploy.${machine.name}.1` : null);
}
