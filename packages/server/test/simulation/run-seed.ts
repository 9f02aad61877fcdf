/**
 * One seed from beginning to end: three servers with the real engine, four environments, twenty promotions, people, and
 * the faults that the seed has drawn. The first broken promise ends it. The same seed is the same run, on every machine.
 */
import { FREEZE_GATE, isTerminal, promisedDigestOf, type Settings, type WorkerId } from '@stella/domain';
import {
  insist,
  makeEmptyEnvironment,
  makeMemoryState,
  makeRelease,
  makeSeededRandom,
  makeWholeEnvironment,
  makeWriteRules,
  type MemoryState,
  mixSeeds,
  personIdOf,
  putEnvironment,
  SafetyViolation,
  type StoredWorker,
  TEST_EPOCH_MS,
  type WriteRecord,
  type WriteRules,
} from '@stella/testkit';
import { type AgendaOfPeople, makeAgendaOfPeople } from './agenda-of-people.ts';
import { type Journal, makeJournal } from './journal.ts';
import { makePeople } from './people.ts';
import { guardRealWorld } from './real-world-guard.ts';
import { checkCalm } from './rules/deadline-rules.ts';
import { type CommitRules, makeCommitRules } from './rules/commit-rules.ts';
import { makeTakeoverTrials, type TakeoverTrials } from './rules/takeover-rules.ts';
import { checkStart } from './rules/quota-rules.ts';
import { makeWayRules, type WayRules } from './rules/way-rules.ts';
import { checkVerdicts } from './rules/verdict-rules.ts';
import { makeScheduler, type Scheduler } from './scheduler.ts';
import { drawPlan, PEOPLE, type SeedPlan, type SimulationMode, WORKER_COUNT } from './seed-plan.ts';
import { makeCallingServices } from './simulated-callbacks.ts';
import { makeDatabase, type SimulatedDatabase } from './simulated-database.ts';
import { type SimulatedServer, startSimulatedServer, type ServerWorld } from './simulated-server.ts';
import { type Machine, makeMachine, type TargetOrder } from './simulated-targets.ts';
import { planTroubles } from './troubles.ts';

/** Nothing in a seed takes longer: waits are bounded, and so are rounds, repeats and takeovers. */
const END_AFTER_MS = 90 * 86_400_000;
/** A seed that needs more entries goes in a circle. */
const ENTRIES_MAX = 600_000;
/** Workers are believed to be healthy again so long after the last fault. */
const CALM_AFTER_MS = 40_000;
/** Three workers live again after the last fault by then: leases have run out, processes have been started. */
const RECOVERED_MS_MAX = 60_000;
const CALM_CHECK_EVERY_MS = 500;

export interface SeedResult {
  readonly seed: number;
  readonly mode: SimulationMode;
  readonly traceHash: string;
  readonly violation: { readonly property: string; readonly message: string } | null;
  readonly faultCount: number;
  readonly virtualMs: number;
  readonly entryCount: number;
  readonly promotionCount: number;
  readonly reached: ReadonlyMap<string, number>;
}

/** `isTraced`: errors tell where they were made; for looking at one seed, because it takes time. */
export async function runSeed(seed: number, mode: SimulationMode | 'both', isTraced = false): Promise<SeedResult> {
  const guard = guardRealWorld();
  const { stackTraceLimit } = Error;
  // Hundreds of errors are made in a seed on purpose, and nobody reads where.
  Error.stackTraceLimit = isTraced ? stackTraceLimit : 0;
  const run = new SeedRun(drawPlan(seed, mode));
  let violation: SeedResult['violation'] = null;
  try {
    await run.toEnd();
  } catch (error) {
    violation = describe(error);
  } finally {
    guard.lift();
    Error.stackTraceLimit = stackTraceLimit;
  }
  const [breach] = guard.breaches;
  if (breach !== undefined) violation = { property: 'real_world', message: `${breach} was used inside of the seed` };
  return run.result(violation);
}

function describe(error: unknown): { property: string; message: string } {
  if (error instanceof SafetyViolation) return { property: error.property, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { property: 'crash', message };
}

class SeedRun {
  private readonly plan: SeedPlan;
  private readonly scheduler: Scheduler;
  private readonly state: MemoryState;
  private readonly journal: Journal = makeJournal();
  private readonly machines = new Map<string, Machine>();
  private readonly database: SimulatedDatabase;
  private readonly servers: SimulatedServer[] = [];
  private readonly writeRules: WriteRules;
  private readonly commitRules: CommitRules;
  private readonly wayRules: WayRules;
  private readonly agenda: AgendaOfPeople;
  private readonly takeovers: TakeoverTrials;
  private readonly faultsEndAtMs: number;
  private failure: { readonly error: unknown } | null = null;
  private processCount = 0;
  private calmCheckedMs = 0;
  private calmFromMs = 0;
  private illSinceMs: number | null = null;

  constructor(plan: SeedPlan) {
    this.plan = plan;
    this.scheduler = makeScheduler(TEST_EPOCH_MS, plan.random);
    this.state = makeMemoryState(plan.settings, { isFrozen: plan.isAudited });
    this.faultsEndAtMs = TEST_EPOCH_MS + plan.faultsEndAfterMs;
    this.calmFromMs = this.faultsEndAtMs + CALM_AFTER_MS;
    this.fillState();
    const { scheduler, state, journal, machines, servers } = this;
    this.writeRules = makeWriteRules(state, plan.isAudited);
    this.commitRules = makeCommitRules({ state, journal, machines, isAudited: plan.isAudited });
    this.wayRules = makeWayRules(state);
    const { mix, instantPercent } = plan;
    this.database = makeDatabase({ scheduler, state, mix, instantPercent, clients: servers });
    this.database.onCommitted = () => this.guarded(() => this.commitRules.check(scheduler.nowMs()));
    const world = this.makeWorld();
    const peopleWorld = { scheduler, state, journal, servers: () => servers, guarded: world.guarded };
    const people = makePeople(peopleWorld);
    this.agenda = makeAgendaOfPeople({ ...peopleWorld, plan, people, registry: world.registry });
    this.takeovers = makeTakeoverTrials({
      ...peopleWorld,
      random: makeSeededRandom(mixSeeds(plan.seed, 15)),
      isCalm: () => this.isCalm(),
      reach: (what) => journal.reach(what),
    });
    for (let n = 1; n <= WORKER_COUNT; n += 1) servers.push(startSimulatedServer(world, `server-${n}`));
    planTroubles({ scheduler, plan, servers, database: this.database, journal, state, machines });
    scheduler.after(plan.faultsEndAfterMs, () => this.endFaults());
    this.agenda.start();
  }

  async toEnd(): Promise<void> {
    await this.scheduler.run(() => this.isOver());
    this.throwFailure();
    insist('L1', this.isFinished(), () => `nothing more happens: ${this.describeLive()}`);
    this.commitRules.checkEnd(this.scheduler.nowMs());
  }

  result(violation: SeedResult['violation']): SeedResult {
    const { plan, scheduler, journal, database, state } = this;
    const counts = [...journal.faults.values(), ...database.counts.values()];
    return {
      seed: plan.seed,
      mode: plan.mode,
      traceHash: scheduler.traceHash(),
      violation,
      faultCount: counts.reduce((sum, count) => sum + count, 0),
      virtualMs: scheduler.nowMs() - TEST_EPOCH_MS,
      entryCount: scheduler.entryCount(),
      promotionCount: state.promotions.size,
      reached: new Map([...journal.reached, ...[...journal.faults, ...database.counts].map(named)]),
    };
  }

  private fillState(): void {
    const { state, plan, machines } = this;
    for (const [subject, bindings] of Object.entries(PEOPLE))
      state.persons.set(personIdOf(subject), { subject, bindings });
    for (const number of [1, 2]) {
      const release = makeRelease(number, ['api', 'web']);
      state.releases.set(release.id, release);
    }
    state.lastReleaseNumber = 2;
    for (const { definition, runs } of plan.environments) {
      const { name } = definition;
      const release = runs === null ? null : makeRelease(runs, ['api', 'web']);
      putEnvironment(state, definition, release ? makeWholeEnvironment(name, release) : makeEmptyEnvironment(name));
      for (const target of definition.targets) {
        machines.set(target.name, makeMachine(target.name, promisedDigestOf(target, release)));
      }
    }
  }

  private makeWorld(): ServerWorld & { readonly guarded: (check: () => void) => void } {
    const { scheduler, plan, journal, database, state, machines } = this;
    const { mix, gateAnswerMs, applyMs } = plan;
    const isFaulty = (): boolean => scheduler.nowMs() < this.faultsEndAtMs;
    const guarded = (check: () => void): void => this.guarded(check);
    const services = makeCallingServices({ scheduler, journal, servers: () => this.servers, guarded });
    return {
      scheduler,
      database,
      state,
      machines,
      gates: { scheduler, mix, journal, answerMs: gateAnswerMs, isFaulty, take: (request) => services.take(request) },
      targets: { scheduler, mix, journal, applyMs, isFaulty, guarded, checkOrder: (one) => this.checkOrder(one) },
      registry: { scheduler, mix, journal, tags: new Map(), isFaulty },
      hasSequencer: plan.hasSequencer,
      isAudited: plan.isAudited,
      diesHere: () => isFaulty() && scheduler.random.chance(mix.kill),
      onWrite: (server, record) => this.guarded(() => this.checkWrite(server, record)),
      reach: (what) => journal.reach(what),
      fail: (error) => this.fail(error),
      guarded,
      nextProcessNumber: () => {
        this.processCount += 1;
        return this.processCount;
      },
    };
  }

  private checkWrite(server: SimulatedServer, record: WriteRecord): void {
    const { scheduler } = this;
    const { promotion } = record.decision;
    const last = this.commitRules.last(promotion.id)?.promotion;
    if (record.kind === 'ticked') {
      const claim = server.claims.get(promotion.id);
      const isOwn = claim !== undefined && last?.claimEpoch === claim.claimEpoch && last.workerId !== null;
      insist('S3', isOwn, () => `${promotion.id} was written with epoch ${claim?.claimEpoch}, not ${last?.claimEpoch}`);
    }
    this.writeRules.check(record);
    checkVerdicts(this.state, record);
    checkStart(this.state, record);
    this.wayRules.check(record);
    if (promotion.quotaWait !== null) this.journal.reach(`quota.${promotion.quotaWait}.waited`);
    for (const run of record.decision.gateRuns) {
      if (run.state === 'expired' && run.message === 'window_closed') this.journal.reach('round.window_closed');
      if (run.gate === FREEZE_GATE.name) this.journal.reach(`gate.freeze.${run.state}`);
    }
    if (record.before?.environment.plannedFreezes.length) this.journal.reach('environment.planned_freeze');
    const { guard } = record.context;
    if (record.kind === 'commanded' && guard) this.writeRules.noteFence(promotion.environment, guard.fence);
    scheduler.note(promotion.version);
    scheduler.noteText(promotion.status);
    scheduler.noteText(promotion.chainHead?.slice(-8) ?? '');
    this.agenda.onWrite(record);
    this.takeovers.onWrite(server, record);
  }

  /** What arrives at a target was intended by a committed write, and is what was gated (safety S10, S17). */
  private checkOrder({ operationId, digest, target }: TargetOrder): void {
    this.guarded(() => {
      const [promotionId, purpose] = operationId.split('.');
      const row = [...this.state.promotions.values()].find(({ promotion }) => promotion.id === promotionId);
      insist('S17', row?.attempts.has(operationId) === true, () => `${operationId} is no committed intent`);
      if (purpose !== 'deploy' && purpose !== 'rollback') return;
      const { promotion } = row;
      const definition = promotion.definition.targets.find((one) => one.name === target);
      const release =
        purpose === 'deploy' ? this.state.releases.get(promotion.releaseId) : this.wayRules.wentFrom(promotion);
      const promised = definition && promisedDigestOf(definition, release);
      insist('S10', promised === digest, () => `${operationId} brings ${digest}, not ${promised}`);
    });
  }

  private guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
  }

  private throwFailure(): void {
    if (this.failure) throw this.failure.error;
  }

  private isOver(): boolean {
    this.throwFailure();
    const { scheduler } = this;
    const elapsedMs = scheduler.nowMs() - TEST_EPOCH_MS;
    insist('L3', elapsedMs <= END_AFTER_MS, () => `not ended after ${elapsedMs} ms: ${this.describeLive()}`);
    insist('L3', scheduler.entryCount() <= ENTRIES_MAX, () => `goes in a circle: ${this.describeLive()}`);
    this.checkCalmSometimes();
    if (this.agenda.pendingCount() === 0 && this.isFinished() && !this.agenda.askForMore()) return true;
    this.skipIdleTime();
    return false;
  }

  private isFinished(): boolean {
    for (const { promotion } of this.state.promotions.values()) if (!isTerminal(promotion.status)) return false;
    return true;
  }

  private isHealthy(): boolean {
    let liveCount = 0;
    for (const worker of this.state.workers.values()) if (worker.state === 'live') liveCount += 1;
    return liveCount === WORKER_COUNT && this.servers.every(({ process }) => process.isAlive() && !process.isPaused());
  }

  private isCalm(): boolean {
    return this.plan.mode === 'liveness' && this.scheduler.nowMs() >= this.calmFromMs && this.isHealthy();
  }

  private checkCalmSometimes(): void {
    const nowMs = this.scheduler.nowMs();
    if (nowMs < this.faultsEndAtMs || this.plan.mode !== 'liveness') return;
    if (nowMs - this.calmCheckedMs < CALM_CHECK_EVERY_MS) return;
    this.calmCheckedMs = nowMs;
    const loopMs = this.scheduler.monotonicMs();
    if (!this.isHealthy()) {
      // Its loops, not the database's clock, bring a worker back.
      this.illSinceMs ??= loopMs;
      const illMs = loopMs - this.illSinceMs;
      insist('L2', illMs <= RECOVERED_MS_MAX, () => `a worker has not come back: ${this.describeServers()}`);
      this.calmFromMs = nowMs + CALM_AFTER_MS;
      return;
    }
    this.illSinceMs = null;
    if (nowMs < this.calmFromMs) return;
    checkCalm({ state: this.state, settings: () => this.settingsNow() }, nowMs);
  }

  private settingsNow(): Settings {
    const rows = [...this.state.settingRows.values()].filter(({ value }) => value !== null);
    return { ...this.plan.settings, ...Object.fromEntries(rows.map(({ key, value }) => [key, value])) };
  }

  /**
   * As long as nothing is due and loops would find nothing, the database's clock jumps. Leases of workers that renew them
   * go with it; those of others run out, and are waited for.
   */
  private skipIdleTime(): void {
    const { scheduler, state, plan } = this;
    const nowMs = scheduler.nowMs();
    let untilMs = scheduler.nextWorldAtMs();
    if (untilMs - nowMs < plan.skipMsMin) return;
    for (const { promotion } of state.promotions.values()) {
      if (promotion.nextActionAtMs !== null && promotion.nextActionAtMs < untilMs) untilMs = promotion.nextActionAtMs;
      // The next round of burials frees it, once nobody holds its row.
      if (promotion.workerId !== null && state.workers.get(promotion.workerId)?.state !== 'live') return;
    }
    if (untilMs - nowMs < plan.skipMsMin) return;
    const renewing = this.renewingWorkers();
    if (renewing === null) return;
    for (const [id, worker] of state.workers) {
      if (worker.state !== 'live' || renewing.has(id)) continue;
      if (isSessionGone(state, worker)) return;
      untilMs = Math.min(untilMs, worker.leaseUntilMs + 1);
    }
    if (untilMs - nowMs < plan.skipMsMin || !Number.isFinite(untilMs)) return;
    scheduler.skip(untilMs - nowMs);
    this.letPass(scheduler.nowMs() - nowMs, renewing);
  }

  /** Workers whose processes run; null while one of them is only starting, so that loops must go round. */
  private renewingWorkers(): ReadonlySet<WorkerId> | null {
    const renewing = new Set<WorkerId>();
    for (const server of this.servers) {
      const { process, workerId } = server;
      if (!process.isAlive() || process.isPaused()) continue;
      // It stops itself by its loops, which no jump may pass over.
      if (this.database.cutOffMsLeft(server) > 0) return null;
      const isAtWork = workerId !== null && this.state.workers.get(workerId)?.state === 'live';
      if (!isAtWork || process.isWakingUp() || server.isDraining()) return null;
      renewing.add(workerId);
    }
    return renewing;
  }

  private letPass(passedMs: number, renewing: ReadonlySet<WorkerId>): void {
    const { workers } = this.state;
    for (const id of renewing) {
      const worker = workers.get(id);
      if (!worker) continue;
      const leaseUntilMs = worker.leaseUntilMs + passedMs;
      workers.set(id, { ...worker, leaseUntilMs, heartbeatAtMs: worker.heartbeatAtMs + passedMs });
    }
    for (const { process } of this.servers) if (process.isPaused()) process.passTime(passedMs);
  }

  private endFaults(): void {
    this.database.isFaulty = false;
    for (const { process } of this.servers) {
      process.resume();
      process.setSkew(0);
    }
  }

  private describeServers(): string {
    const words = this.servers.map(({ name, process, workerId }) => {
      const state = workerId === null ? 'not registered' : this.state.workers.get(workerId)?.state;
      return `${name} is ${process.isAlive() ? (process.isPaused() ? 'paused' : 'alive') : 'dead'}, worker ${state}`;
    });
    const live = [...this.state.workers].filter(([, worker]) => worker.state === 'live');
    for (const [id, { leaseUntilMs }] of live) words.push(`${id} has ${leaseUntilMs - this.scheduler.nowMs()} ms left`);
    return words.join('; ');
  }

  private describeLive(): string {
    const live = [...this.state.promotions.values()].filter(({ promotion }) => !isTerminal(promotion.status));
    const words = live.map(({ promotion: one }) => {
      const dueMs = (one.nextActionAtMs ?? 0) - this.scheduler.nowMs();
      return `${one.id} in ${one.environment}: ${one.status} in ${one.step}, worker ${one.workerId}, due in ${dueMs} ms`;
    });
    return words.join('; ');
  }
}

/** By its end the worker is known to be dead, and the next poll buries it. */
function isSessionGone({ goneSessions, postmasterStart }: MemoryState, { session }: StoredWorker): boolean {
  const key = `${session.pid} ${session.backendStart}`;
  return session.postmasterStart === postmasterStart && goneSessions.has(key);
}

function named([what, count]: readonly [string, number]): [string, number] {
  return [`fault.${what}`, count];
}
