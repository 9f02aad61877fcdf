/**
 * Runs a scenario to its end in virtual time: the domain's own rules on a store in memory, with workers that fail,
 * people who interfere and targets that keep their fences. Every write and every moment between writes is checked; the
 * first broken promise is thrown as a `SafetyViolation`. One scenario is one schedule: it can be run again.
 */
import {
  type Actor,
  decide,
  type Decision,
  type ErrorCode,
  type Fence,
  isAppError,
  isTerminal,
  planPromotion,
  type PromotionId,
} from '@stella/domain';
import { releaseIdOf } from '../fixtures.ts';
import { makeSeededIds, TEST_EPOCH_MS } from '../seeded-ids.ts';
import { type Agenda, makeAgenda } from './agenda.ts';
import { readPredecessors } from '../memory/memory-reads.ts';
import { environmentOf, type MemoryState, releaseOf } from '../memory/memory-state.ts';
import { committedView } from '../memory/memory-transaction.ts';
import type { WriteRecord } from '../memory/memory-session.ts';
import { makeMemoryStore, type MemoryStore } from './memory-store.ts';
import type { MemoryTarget } from './memory-target.ts';
import { insist } from './safety-violation.ts';
import { definitionOfPlan, environmentName, makePlaces, type RequestPlan, type Scenario } from './scenario.ts';
import { makeSeededRandom, mixSeeds, type SeededRandom } from './seeded-random.ts';
import { actorOf, answerApprovals, carryOut, enrolPeople, type PeopleWorld } from './simulated-people.ts';
import { askSkips } from './simulated-skips.ts';
import { makeStaff } from './staff.ts';
import { checkState, makeRuleMemory, type RuleMemory } from './state-rules.ts';
import { makeWriteRules } from './write-rules.ts';

/** Nothing in a scenario takes longer: waits are bounded, and so are the rounds of a gate. */
const END_AFTER_MS = 60 * 60_000;
/** A run that needs more entries goes in a circle. */
const ENTRY_COUNT_MAX = 50_000;
/** Of a hundred targets so many hear the seal that follows a forced release. */
const SEAL_HEARD_PERCENT = 80;

/** How `decide` is called; a test of the simulation itself passes a wrong one. */
export type DecideFunction = typeof decide;

export interface SimulationReport {
  readonly promotionCount: number;
  /** Virtual time until the last promotion had ended. */
  readonly elapsedMs: number;
  readonly entryCount: number;
  /** How often what happened: `status.completed`, `step.rollback`, `ending.gate.failed`, `worker.took_over` … */
  readonly counts: ReadonlyMap<string, number>;
}

/** Throws `SafetyViolation`, or whatever a rule throws. */
export function simulate(scenario: Scenario, decideWith: DecideFunction = decide): SimulationReport {
  const simulation = makeSimulation(scenario, decideWith);
  const { agenda, state, counts } = simulation;
  let entryCount = 0;
  while (isUnfinished(simulation) && agenda.runNext()) {
    entryCount += 1;
    checkState(simulation, agenda.nowMs());
    const elapsedMs = agenda.nowMs() - TEST_EPOCH_MS;
    insist('L3', elapsedMs <= END_AFTER_MS, () => `not ended after ${elapsedMs} ms: ${describe(simulation)}`);
    insist('L3', entryCount <= ENTRY_COUNT_MAX, () => `goes in a circle: ${describe(simulation)}`);
  }
  insist('L1', !isUnfinished(simulation), () => `nothing more happens: ${describe(simulation)}`);
  return { promotionCount: state.promotions.size, elapsedMs: agenda.nowMs() - TEST_EPOCH_MS, entryCount, counts };
}

interface Simulation {
  readonly scenario: Scenario;
  readonly random: SeededRandom;
  readonly agenda: Agenda;
  readonly state: MemoryState;
  readonly memory: RuleMemory;
  readonly targetOf: (environment: string, target: string) => MemoryTarget;
  readonly counts: Map<string, number>;
  readonly count: (what: string) => void;
  /** Requests that are still to come. */
  plannedCount: number;
}

/** A simulation whose store and staff are at work. */
interface RunningSimulation extends Simulation {
  readonly store: MemoryStore;
  readonly onChange: () => void;
}

function isUnfinished({ plannedCount, state }: Simulation): boolean {
  return plannedCount > 0 || [...state.promotions.values()].some((row) => !isTerminal(row.promotion.status));
}

function describe({ state }: Simulation): string {
  const live = [...state.promotions.values()].filter((row) => !isTerminal(row.promotion.status));
  return live
    .map(
      ({ promotion: one }) => `${one.id} in ${one.environment}: ${one.status} in ${one.step}, worker ${one.workerId}`,
    )
    .join('; ');
}

function makeSimulation(scenario: Scenario, decideWith: DecideFunction): RunningSimulation {
  const random = makeSeededRandom(scenario.seed);
  const agenda = makeAgenda(TEST_EPOCH_MS, random);
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const { state, targetOf } = makePlaces(scenario.environments, scenario.locksMode);
  const plannedCount = scenario.requests.length;
  const memory = makeRuleMemory();
  const simulation = { scenario, random, agenda, state, memory, targetOf, counts, count, plannedCount };
  enrolPeople(state);

  const rules = makeWriteRules(state);
  const onWrite = (record: WriteRecord): void => {
    rules.check(record);
    countWrite(record, count);
    answerApprovals(people, record);
    askSkips(people, record);
    if (record.decision.promotion.status === 'completed') goOn(running, record.decision);
  };
  const store = makeMemoryStore(state, { seed: mixSeeds(scenario.seed, 1), onWrite });
  const { badLuckPercent } = scenario;
  const effects = {
    random,
    badLuckPercent,
    targetOf,
    later: (delayMs: number, run: () => void) => agenda.after(delayMs, run),
  };
  const decideAs =
    (actor: Actor) =>
    (snapshot: Parameters<typeof decide>[0], ...rest: DecideRest) =>
      decideWith(snapshot, rest[0], actor, rest[1]);
  const onChange = (): void => staff.hint();
  const world = { agenda, random, store, effects, decide: decideAs, onChange, count };
  const staff = makeStaff(world, scenario, makeSeededIds(mixSeeds(scenario.seed, 2)));
  const sealTargets = (environment: string, fence: Fence): void => {
    rules.noteFence(environment, fence);
    sealAll(simulation, environment, fence);
  };
  const people: PeopleWorld = { agenda, random, store, onChange, count, sealTargets };
  const running = Object.assign(simulation, { store, onChange });
  for (const plan of scenario.requests) agenda.after(plan.atMs, () => request(running, plan));
  for (const plan of scenario.commands) agenda.after(plan.atMs, () => carryOut(people, plan));
  staff.start();
  return running;
}

type DecideRest = [context: Parameters<typeof decide>[1], ended: readonly string[]];

/** What the command does after its transaction; a target that cannot be reached is not sealed. */
function sealAll({ state, agenda, random, targetOf }: Simulation, environment: string, fence: Fence): void {
  for (const target of state.definitions.get(environment)?.definition.targets ?? []) {
    if (!random.chance(SEAL_HEARD_PERCENT)) continue;
    agenda.after(random.between(1, 3_000), () => void targetOf(environment, target.name).seal(fence));
  }
}

/** What may be refused, and the only reasons for it. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'promotion.live_exists',
  'promotion.not_in_predecessor',
  'promotion.older_than_base',
  'promotion.same_as_base',
]);

function request(simulation: RunningSimulation, plan: RequestPlan, retryOf: PromotionId | null = null): void {
  const { state, store, agenda, scenario, count } = simulation;
  simulation.plannedCount -= 1;
  const definition = definitionOfPlan(scenario.environments, plan.environment % scenario.environments.length);
  const environment = environmentOf(state, definition.name);
  const release = releaseOf(state, releaseIdOf(plan.release));
  const input = {
    release,
    definition,
    environment,
    base: environment.releaseId === null ? null : releaseOf(state, environment.releaseId),
    predecessors: readPredecessors(committedView(state, agenda.nowMs()), definition, release.id),
    priority: plan.priority,
    requestedBy: actorOf(plan.requester),
    retryOf,
    settings: state.settings,
  };
  try {
    store.insert((context) => planPromotion(input, context), agenda.nowMs());
    count('request.taken');
  } catch (error) {
    if (!isAppError(error) || !REFUSALS.has(error.code)) throw error;
    count(`request.${error.code}`);
  }
  simulation.onChange();
}

/** The release that has completed is wanted in the next environment. */
function goOn(simulation: RunningSimulation, { promotion }: Decision): void {
  const { scenario, agenda, random } = simulation;
  const plan = scenario.requests.find((one) => one.goesOn && releaseIdOf(one.release) === promotion.releaseId);
  const here = scenario.environments.findIndex((_, index) => environmentName(index) === promotion.environment);
  if (!plan || here + 1 >= scenario.environments.length) return;
  simulation.plannedCount += 1;
  agenda.after(random.between(1, 5_000), () => request(simulation, { ...plan, environment: here + 1 }));
}

function countWrite({ before, decision }: WriteRecord, count: (what: string) => void): void {
  const { promotion, events } = decision;
  for (const event of events) count(`event.${event.type}`);
  if (promotion.status !== before?.promotion.status) count(`status.${promotion.status}`);
  if (promotion.step !== before?.promotion.step) count(`step.${promotion.step}`);
  if (before?.promotion.step === 'preflight' && before.promotion.preflightRevision !== null) {
    if (promotion.step === 'deploy') count('locks.late');
    if (promotion.step === 'acquire_locks') count('locks.late_refused');
    if (before.promotion.preflightRevision !== before.environment.policyRevision) count('locks.late_changed');
  }
  if (isTerminal(promotion.status)) count(`ending.${promotion.ending?.code ?? 'none'}`);
}
