/**
 * One server: API, worker and sequencer in one process, all of it the real code; the ports are simulated. When its
 * process dies it is started again, as a service manager does.
 */
import { AppError, type Decision, type IdSource, makeIds, type TargetDefinition, type WorkerId } from '@stella/domain';
import {
  endSession,
  insistSame,
  makeMemoryStores,
  makeSeededIds,
  type MemoryState,
  type MemoryStores,
  readSnapshot,
  SafetyViolation,
  type WriteRecord,
} from '@stella/testkit';
import { makeEffectRunner } from '../../src/engine/effects.ts';
import { superviseWorker } from '../../src/main/worker-supervisor.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { CommandTransaction, IdempotencyRequest } from '../../src/ports/command-store.ts';
import type { Claim, DecideCallback, EngineStore } from '../../src/ports/engine-store.ts';
import type { Logger } from '../../src/ports/logger.ts';
import { NO_METRICS } from '../../src/ports/metrics.ts';
import type { Registry } from '../../src/ports/registry.ts';
import type { Secrets } from '../../src/ports/secrets.ts';
import type { SequencerStore } from '../../src/ports/sequencer-store.ts';
import type { Target } from '../../src/ports/target.ts';
import { NO_WATCHDOG } from '../../src/ports/watchdog.ts';
import { makeAskGate } from '../../src/gates/ask-gate.ts';
import { makeAskJudge } from '../../src/gates/http-judge.ts';
import { type CallbackDeps, type SignedVerdict, takeSignedVerdict } from '../../src/http/callback.ts';
import { startSequencer } from '../../src/sequencer/sequencer.ts';
import type { LivenessSession } from '../../src/store/liveness-session.ts';
import { type DatabaseClient, SESSION_GONE_MS_MAX, type SimulatedDatabase } from './simulated-database.ts';
import { CALLBACK_KEY } from './simulated-callbacks.ts';
import { type GateWorld, makeGateClient } from './simulated-gates.ts';
import { isTransient } from './people.ts';
import { makeProcess, type SimulatedProcess } from './simulated-process.ts';
import { makePrograms, PROGRAMS } from './simulated-programs.ts';
import { makeRegistryClient, type RegistryWorld } from './simulated-registry.ts';
import { type Machine, makeTargetClient, type TargetWorld } from './simulated-targets.ts';
import type { Scheduler } from './scheduler.ts';

/** Until a service manager has started it again. */
const RESTART_MS_MAX = 5_000;

export interface ServerWorld {
  readonly scheduler: Scheduler;
  readonly database: SimulatedDatabase;
  readonly state: MemoryState;
  readonly gates: GateWorld;
  readonly targets: TargetWorld;
  readonly registry: RegistryWorld;
  /** By name of the target; names are unique in a seed. */
  readonly machines: ReadonlyMap<string, Machine>;
  readonly hasSequencer: boolean;
  /** Every decision is made twice: the same input must give the same answer. */
  readonly isAudited: boolean;
  /** Of an entry into the process: it dies there. */
  readonly diesHere: () => boolean;
  readonly onWrite: (server: SimulatedServer, record: WriteRecord) => void;
  readonly reach: (what: string) => void;
  /** A broken promise ends the seed. */
  readonly fail: (error: unknown) => void;
  readonly nextProcessNumber: () => number;
}

export interface SimulatedServer extends DatabaseClient {
  readonly process: SimulatedProcess;
  readonly ids: IdSource;
  registry(): Registry;
  /** Of the worker that it registered last; null before. */
  readonly workerId: WorkerId | null;
  /** Claims that its worker works on, by promotion. */
  readonly claims: Map<string, Claim>;
  command<T>(request: IdempotencyRequest | null, work: (tx: CommandTransaction) => Promise<T>): Promise<T>;
  /** Of a service that was asked; as the route takes it. */
  callBack(message: Omit<SignedVerdict, 'parse'>): Promise<void>;
  openTarget(definition: TargetDefinition): Target;
  /** The process dies, and is started again after a while. */
  kill(): void;
  /** Its own session is lost, as when its backend is killed. */
  loseSession: () => void;
  drain(): void;
  isDraining(): boolean;
}

/** Pauses of a run before it tries a failed tick again. They lead to something, so no jump of the clock may pass them over. */
const RETRY_PAUSES_MS: ReadonlySet<number> = new Set([100, 200, 400, 800, 1_600, 3_200]);

function withRetriesOn(world: Clock, loop: Clock): Clock {
  return {
    ...loop,
    schedule: (delayMs, run) => (RETRY_PAUSES_MS.has(delayMs) ? world : loop).schedule(delayMs, run),
  };
}

const SECRETS: Secrets = {
  read: () => Promise.resolve({ isThere: true, key: CALLBACK_KEY }),
  readPassword: () => Promise.resolve({ isThere: false, message: 'there are none here' }),
  readCertificates: () => Promise.resolve({ isThere: false, message: 'there are none here' }),
  readPrivateKey: () => Promise.resolve({ isThere: false, message: 'there are none here' }),
};

/** What the route of callbacks reads before it writes. */
function readsOf(state: MemoryState): CallbackDeps['reads'] {
  return {
    findCallbackPlace: (operationId) => {
      for (const { promotion, attempts } of state.promotions.values()) {
        const attempt = attempts.get(operationId);
        if (attempt?.purpose !== 'gate' || attempt.gateRunId === null) continue;
        const { gateRunId, subject: gate } = attempt;
        return Promise.resolve({ promotionId: promotion.id, gateRunId, gate, isDebt: false });
      }
      return Promise.resolve(null);
    },
    readPromotion: (id) => Promise.resolve({ snapshot: readSnapshot(state, id), nowMs: 0 }),
  };
}

export function startSimulatedServer(world: ServerWorld, name: string): SimulatedServer {
  return new Server(world, name);
}

class Server implements SimulatedServer {
  readonly name: string;
  process: SimulatedProcess;
  ids: IdSource;
  disconnect: () => void = () => undefined;
  workerId: WorkerId | null = null;
  readonly claims = new Map<string, Claim>();
  private readonly world: ServerWorld;
  private stores: MemoryStores | null = null;
  private loseCurrent: (() => void) | null = null;
  private drainCurrent: (() => void) | null = null;
  private isLeaving = false;

  constructor(world: ServerWorld, name: string) {
    this.world = world;
    this.name = name;
    this.ids = makeIds(
      () => world.scheduler.nowMs(),
      (count) => world.scheduler.random.bytes(count),
    );
    this.process = this.begin();
  }

  async command<T>(request: IdempotencyRequest | null, work: (tx: CommandTransaction) => Promise<T>): Promise<T> {
    const { stores } = this;
    if (!stores) return new Promise(() => undefined);
    const answered = stores.commands.transact(request, async (tx) => ({ status: 200, body: await work(tx) }));
    const { body } = await this.process.hand(answered);
    // What `work` gave, or what it gave when the same key was used before.
    return body as T;
  }

  async callBack(message: Omit<SignedVerdict, 'parse'>): Promise<void> {
    const { stores, world, ids } = this;
    if (!stores) return new Promise(() => undefined);
    const deps = {
      ids,
      reads: readsOf(world.state),
      commands: stores.commands,
      secrets: SECRETS,
      clock: this.process.clockOn('loop'),
    };
    const parse = (): ReturnType<SignedVerdict['parse']> =>
      // What our own service sends; the schema of the route is no part of the engine.
      JSON.parse(new TextDecoder().decode(message.bytes)) as ReturnType<SignedVerdict['parse']>;
    await this.process.hand(takeSignedVerdict(deps, { ...message, parse }));
  }

  registry(): Registry {
    return makeRegistryClient(this.world.registry, this.process);
  }

  openTarget(definition: TargetDefinition): Target {
    const machine = this.world.machines.get(definition.name);
    if (!machine) throw new SafetyViolation('target', `no machine ${definition.name}`);
    return makeTargetClient(this.world.targets, this.process, machine);
  }

  kill(): void {
    this.process.kill();
  }

  loseSession = (): void => {
    this.loseCurrent?.();
  };

  drain(): void {
    this.drainCurrent?.();
  }

  isDraining(): boolean {
    return this.isLeaving;
  }

  private begin(): SimulatedProcess {
    const { scheduler, diesHere, nextProcessNumber, gates } = this.world;
    const { random } = scheduler;
    const process = makeProcess({ number: nextProcessNumber(), scheduler, diesHere, latencyMs: () => 0 });
    process.onDeath(() => this.bury(process));
    if (gates.isFaulty() && random.chance(gates.mix.clockJumps * 5)) {
      process.setSkew(random.between(-3_600_000, 3_600_000));
    }
    this.process = process;
    this.claims.clear();
    this.isLeaving = false;
    this.workerId = null;
    this.run(process);
    return process;
  }

  /** Its connections are noticed to be gone soon, its own session within a moment, and it is started again. */
  private bury(process: SimulatedProcess): void {
    const { scheduler, reach } = this.world;
    const { random } = scheduler;
    reach('process.died');
    const { disconnect } = this;
    // Of a server that is cut off the database notices nothing before that is over.
    const silentMs = this.world.database.cutOffMsLeft(this);
    scheduler.after(silentMs + random.between(0, 800), disconnect);
    this.loseCurrent = null;
    this.drainCurrent = null;
    this.stores = null;
    scheduler.after(random.between(100, RESTART_MS_MAX), () => {
      if (this.process === process) this.begin();
    });
  }

  private run(process: SimulatedProcess): void {
    const { world } = this;
    const { scheduler, state, database } = world;
    const clock = process.clockOn('loop');
    const ids = makeIds(
      () => clock.nowMs(),
      (count) => scheduler.random.bytes(count),
    );
    this.ids = ids;
    const stores = makeMemoryStores({
      state,
      ids,
      nowMs: () => scheduler.nowMs(),
      turn: database.turnOf(this),
      onWrite: (record) => world.onWrite(this, record),
      clock: { schedule: (delayMs, run) => scheduler.after(delayMs, run) },
    });
    this.stores = stores;
    this.disconnect = () => stores.disconnect();
    const worldClock = process.clockOn('world');
    const logger = this.makeLogger();
    const runEffect = makeEffectRunner({
      clock: worldClock,
      logger,
      metrics: NO_METRICS,
      registry: makeRegistryClient(world.registry, process),
      openTarget: (definition) => this.openTarget(definition),
      askGate: makeAskGate({
        http: makeGateClient(world.gates, process),
        clock: process.clockOn('world'),
        secrets: SECRETS,
        callbackUrl: Promise.resolve('https://stella.example'),
        ...PROGRAMS,
        processes: makePrograms(world.gates, process),
        runs: { note: () => () => undefined },
      }),
      askJudge: makeAskJudge(makeGateClient(world.gates, process)),
      // Reports are no part of the engine's state: nothing that it decides rests on them.
      noteProbe: () => undefined,
    });
    const faults = { hit: (): Promise<void> => new Promise((resolve) => process.enter(resolve)) };
    const run = {
      store: this.outside(process, stores.engine),
      runEffect,
      clock: withRetriesOn(worldClock, clock),
      logger,
      metrics: NO_METRICS,
      faults,
      watchdog: NO_WATCHDOG,
    };
    const openSession = (): Promise<LivenessSession> => this.openSession(process);
    superviseWorker({ run, ids, openSession, options: { hostname: this.name, version: 'simulated' } }).then(
      (supervisor) => {
        this.drainCurrent = () => {
          world.reach('worker.drained');
          this.isLeaving = true;
          void supervisor.drain(10_000).then(() => process.enter(() => process.kill()));
        };
      },
      // A server whose first worker cannot start ends, and is started again.
      () => process.kill(),
    );
    if (world.hasSequencer) this.runSequencer(process, stores.sequencer);
  }

  private runSequencer(process: SimulatedProcess, store: SequencerStore): void {
    const outside: SequencerStore = { appendToChain: (limit) => process.hand(store.appendToChain(limit)) };
    startSequencer({ store: outside, clock: process.clockOn('loop'), logger: this.makeLogger() });
  }

  /** The engine's store as its process reaches it: each answer comes from outside. */
  private outside(process: SimulatedProcess, store: EngineStore): EngineStore {
    const hand = <T>(call: Promise<T>): Promise<T> => process.hand(this.watched(call));
    return {
      registerWorker: (worker) => {
        this.workerId = worker.id;
        return hand(store.registerWorker(worker));
      },
      renewLease: (id, leaseTtlMs) => hand(store.renewLease(id, leaseTtlMs)),
      retireWorker: (id) => hand(store.retireWorker(id)),
      buryDeadWorkers: (id) => hand(store.buryDeadWorkers(id)),
      takeDueWork: (id, limit, owned) => hand(store.takeDueWork(id, limit, owned)),
      tick: (claim, outcomes, decide) => {
        this.claims.set(claim.promotionId, claim);
        return hand(store.tick(claim, outcomes, this.world.isAudited ? this.twice(decide) : decide));
      },
      setAside: (claim, failure, actor) => {
        this.world.reach('promotion.set_aside');
        return hand(store.setAside(claim, failure, actor));
      },
      prune: (limit) => hand(store.prune(limit)),
    };
  }

  private twice(decide: DecideCallback): DecideCallback {
    return (snapshot, context, ended) => {
      const seed = this.world.scheduler.random.between(0, 0xffff_ffff);
      const decideOnce = (): Decision =>
        decide(snapshot, { ...context, ids: makeSeededIds(seed, () => context.nowMs) }, ended);
      const decision = decideOnce();
      try {
        insistSame('purity', decideOnce(), decision, () => 'the second answer differs from the first');
      } catch (error) {
        this.world.fail(error);
      }
      return decision;
    };
  }

  /** What a database refuses for other reasons than its own trouble must never be tried. */
  private watched<T>(call: Promise<T>): Promise<T> {
    return call.catch((error: unknown) => {
      const isKnown = isTransient(error) || (error as { code?: unknown }).code === 'database.unavailable';
      if (!isKnown) this.world.fail(error);
      throw error;
    });
  }

  private openSession(process: SimulatedProcess): Promise<LivenessSession> {
    const { scheduler, state, database } = this.world;
    const { random } = scheduler;
    const session = {
      pid: random.between(1, 1_000_000),
      backendStart: `at ${scheduler.nowMs()}`,
      postmasterStart: state.postmasterStart,
    };
    let lose = (): void => undefined;
    const lost = new Promise<void>((resolve) => {
      lose = () => process.enterAfter(random.between(1, 50), resolve);
    });
    let isGone = false;
    const leave = (): void => {
      if (isGone) return;
      isGone = true;
      const silentMs = database.cutOffMsLeft(this);
      scheduler.after(silentMs + random.between(0, SESSION_GONE_MS_MAX), () => endSession(state, session));
    };
    process.onDeath(leave);
    this.loseCurrent = () => {
      leave();
      lose();
    };
    const opened: LivenessSession = {
      ...session,
      lost,
      close: () => {
        leave();
        return Promise.resolve();
      },
    };
    const isCutOff = database.cutOffMsLeft(this) > 0;
    return new Promise((resolve, reject) => {
      process.enterAfter(random.between(1, 20), () => {
        if (isCutOff) reject(new AppError('database.unavailable', { details: { message: 'connection refused' } }));
        else resolve(opened);
      });
    });
  }

  /** Texts that the engine writes when something happened that it cannot explain. */
  private makeLogger(): Logger {
    const { fail, reach } = this.world;
    const logger: Logger = {
      debug: () => undefined,
      info: (_fields, message) => reach(`log.${message}`),
      warn: (_fields, message) => reach(`log.${message}`),
      error: ({ error }, message) => {
        reach(`log.${message}`);
        if (message === 'an effect threw') fail(error);
      },
      child: () => logger,
    };
    return logger;
  }
}
