/** Everything that a seed decides before it begins: places, settings, faults, and how lively its world is. */
import {
  type CanaryStrategy,
  type DependencyGateDefinition,
  type EnvironmentDefinition,
  type GateDefinition,
  type GateKind,
  parseSetting,
  type QuotaDefinition,
  type RoleBinding,
  type Settings,
  STANDARD_SETTINGS,
  toRfc3339,
  WEEKDAYS,
  type WeeklyTimes,
  type WindowGateDefinition,
} from '@stella/domain';
import {
  makeApprovalGate,
  makeCanary,
  makeCommandGate,
  makeDefinition,
  makeDependencyGate,
  makeHttpGate,
  makeSeededRandom,
  makeSoakGate,
  makeTarget,
  makeWindowGate,
  mixSeeds,
  type SeededRandom,
  TEST_EPOCH_MS,
  toBindings,
} from '@stella/testkit';
import { CALLBACK_SECRET, CALLS_BACK } from './simulated-callbacks.ts';
import { drawFaultMix, type FaultMix, withMoreFaults } from './fault-mix.ts';

export const SIMULATION_MODES = ['safety', 'liveness'] as const;
/**
 * `safety`: short waits and any faults, what must never be never is. `liveness`: the settings of production; faults stop
 * after a while, and then everything that waits for no person ends in time.
 */
export type SimulationMode = (typeof SIMULATION_MODES)[number];

export const PROMOTION_COUNT = 20;
export const WORKER_COUNT = 3;

export interface SeedPlan {
  readonly seed: number;
  readonly mode: SimulationMode;
  readonly random: SeededRandom;
  /** dev, staging, prod in a row; edge beside staging. */
  readonly environments: readonly EnvironmentPlan[];
  /** Some environments have one, and an operator freezes now and then. */
  readonly hasWindows: boolean;
  /** Some environments have one, and people raise limits and ask for more. */
  readonly hasQuotas: boolean;
  /** Most environments are `concurrency: per_component`, and releases carry some components. */
  readonly isByComponent: boolean;
  /** People roll back, and deploy artifacts of their own choice. */
  readonly hasOtherWays: boolean;
  readonly settings: Settings;
  readonly mix: FaultMix;
  /** No more faults from here on. */
  readonly faultsEndAfterMs: number;
  readonly cycles: readonly CyclePlan[];
  /** Of a hundred turns at the database so many take no time. */
  readonly instantPercent: number;
  readonly hasSequencer: boolean;
  /** Every hash of every event is recomputed, which takes a tenth of the time. */
  readonly isAudited: boolean;
  /** Loops that find nothing are left out for jumps of the clock from this on; large: they go round more often. */
  readonly skipMsMin: number;
  readonly gateAnswerMs: number;
  readonly applyMs: number;
}

export interface EnvironmentPlan {
  readonly definition: EnvironmentDefinition;
  /** Number of the release that it runs at first; null: it is empty. */
  readonly runs: number | null;
}

/** A release that is made and promoted, step by step. */
export interface CyclePlan {
  readonly atMs: number;
  readonly requester: string;
  /** Null: made anew; else one that was made before, which may be too old. */
  readonly olderBy: number | null;
  /** Where it enters first: mostly dev. */
  readonly environment: string;
  readonly goesOn: boolean;
}

export const PEOPLE: Readonly<Record<string, readonly RoleBinding[]>> = {
  alice: toBindings(['releaser@*', 'approver@*']),
  bob: toBindings(['releaser@*', 'approver@*']),
  carol: toBindings(['approver@*']),
  dave: toBindings(['viewer@*']),
  olga: toBindings(['operator@*']),
  root: toBindings(['admin@*']),
};

/** Of a hundred seeds so many are about liveness, which takes longer. */
const LIVENESS_PERCENT = 20;
const BY_COMPONENT_PERCENT = 35;
/** Drawn aside: the other seeds stay what they were. */
const OTHER_WAYS_PERCENT = 25;
/** Of a hundred seeds by component so many have a crowd: else hardly ever three meet, two beside each other and one behind. */
const CROWDED_PERCENT = 40;
const CROWD_WITHIN_MS = 8_000;

export function drawPlan(seed: number, wanted: SimulationMode | 'both'): SeedPlan {
  const usual = drawUsualPlan(seed, wanted);
  const frozen = usual.hasWindows ? withPlannedFreezes(makeSeededRandom(mixSeeds(seed, 14)), usual) : usual;
  const inBatches = withStrategies(makeSeededRandom(mixSeeds(seed, 15)), frozen);
  const plan = withLaterKinds(makeSeededRandom(mixSeeds(seed, 16)), inBatches);
  // Of its own again, for the same reason.
  const crowd = makeSeededRandom(mixSeeds(seed, 12));
  return plan.isByComponent && crowd.chance(CROWDED_PERCENT) ? withCrowd(crowd, plan) : plan;
}

/** Kinds that came later: gates that are programs or call back, and quotas. */
function withLaterKinds(random: SeededRandom, plan: SeedPlan): SeedPlan {
  const hasKinds = random.chance(25);
  const hasQuotas = random.chance(20);
  const isShort = plan.mode === 'safety';
  const environments = plan.environments.map((place) => {
    const gates = hasKinds ? withAskedGates(random, place.definition.gates, isShort) : place.definition.gates;
    const quotas = hasQuotas && random.chance(60) ? { quotas: drawQuotas(random) } : {};
    return { ...place, definition: { ...place.definition, gates, ...quotas } };
  });
  return { ...plan, hasQuotas, environments };
}

function withAskedGates(
  random: SeededRandom,
  gates: readonly GateDefinition[],
  isShort: boolean,
): readonly GateDefinition[] {
  const calling = gates.map((gate): GateDefinition => {
    if (gate.kind !== 'http' || !random.chance(60)) return gate;
    const { pollIntervalMs: _atOnce, ...rest } = gate;
    return { ...rest, headers: CALLS_BACK, callback: { secret: CALLBACK_SECRET } };
  });
  const timing = isShort ? { timeoutMs: 8_000, retryCount: 1, backoffMs: 2_000 } : {};
  return random.chance(50) ? [...calling, makeCommandGate(timing)] : calling;
}

/** Hours of Nepal begin a quarter of an hour off, so that a short seed sees one begin. */
function drawQuotas(random: SeededRandom): QuotaDefinition {
  return {
    timeZone: random.pick(['UTC', 'Asia/Kathmandu', 'Europe/Vienna']),
    perHour: random.pick([1, 2, 3]),
    ...(random.chance(50) ? { perDay: random.pick([2, 4]) } : {}),
    ...(random.chance(50) ? { inProgress: random.pick([1, 2]) } : {}),
  };
}

/** Some places are frozen for a while from the beginning on, as their definitions say. */
function withPlannedFreezes(random: SeededRandom, plan: SeedPlan): SeedPlan {
  const localAt = (minutes: number): string => toRfc3339(TEST_EPOCH_MS + minutes * 60_000).slice(0, 16);
  return {
    ...plan,
    environments: plan.environments.map((place) => {
      if (!random.chance(40)) return place;
      const from = random.between(0, 5);
      const to = from + random.between(1, 4);
      const freezes = [{ from: localAt(from), to: localAt(to), zone: 'UTC', reason: 'planned' }];
      return { ...place, definition: { ...place.definition, freezes } };
    }),
  };
}

/** Of a hundred places with several targets so many deploy in batches. */
const ROLLING_PERCENT = 40;

/** Some places deploy in batches, and in some worlds only a few targets are worked on at once. */
function withStrategies(random: SeededRandom, plan: SeedPlan): SeedPlan {
  const atOnce = random.chance(25) ? random.between(1, 2) : plan.settings['limits.targetsAtOnce'];
  return {
    ...plan,
    settings: { ...plan.settings, 'limits.targetsAtOnce': atOnce },
    environments: plan.environments.map((place) => {
      const { targets } = place.definition;
      if (targets.length < 2 || !random.chance(ROLLING_PERCENT)) return place;
      const names = targets.map((target) => target.name);
      const strategy = random.chance(50)
        ? ({ kind: 'rolling', maxUnavailable: random.between(1, targets.length - 1) } as const)
        : drawCanary(random, [random.pick(names)], place.definition.deployDeadlineMs);
      return { ...place, definition: { ...place.definition, strategy } };
    }),
  };
}

function drawCanary(random: SeededRandom, targets: readonly string[], deployDeadlineMs: number): CanaryStrategy {
  const { judge } = makeCanary();
  const soakMs = Math.min(random.pick([1_000, 5_000, 20_000]), deployDeadlineMs / 3);
  return makeCanary({ targets, soakMs, judge: { ...judge, failuresAllowed: random.between(0, 2) } });
}

/** All come to dev at once, where no gate holds them up and a deploy takes its time. */
function withCrowd(random: SeededRandom, plan: SeedPlan): SeedPlan {
  return {
    ...plan,
    environments: plan.environments.map((place) =>
      place.definition.name === 'dev'
        ? { ...place, definition: { ...place.definition, gates: [], concurrency: 'per_component' } }
        : place,
    ),
    cycles: plan.cycles.map((cycle) => ({ ...cycle, atMs: random.between(0, CROWD_WITHIN_MS), environment: 'dev' })),
    applyMs: 5_000,
  };
}

function drawUsualPlan(seed: number, wanted: SimulationMode | 'both'): SeedPlan {
  const random = makeSeededRandom(mixSeeds(seed, 0));
  const drawn: SimulationMode = random.chance(LIVENESS_PERCENT) ? 'liveness' : 'safety';
  const mode = wanted === 'both' ? drawn : wanted;
  const isShort = mode === 'safety' && random.chance(80);
  // Of its own, so that seeds without windows stay what they were.
  const times = makeSeededRandom(mixSeeds(seed, 11));
  const hasWindows = times.chance(20);
  // Drawn aside, so that the other seeds stay what they were.
  const aside = makeSeededRandom(mixSeeds(seed, 1));
  const isByComponent = aside.chance(BY_COMPONENT_PERCENT);
  const lockMode = random.chance(40) ? 'optimistic' : 'pessimistic';
  const environments = drawEnvironments(random, mode === 'safety');
  return {
    seed,
    mode,
    random,
    settings: {
      ...(isShort ? SHORT_SETTINGS : STANDARD_SETTINGS),
      'locks.mode': parseSetting('locks.mode', lockMode),
    },
    environments: environments
      .map((place) => (hasWindows ? withMoreGates(times, place) : place))
      .map((place) => (isByComponent ? goByComponent(aside, place) : place)),
    hasWindows,
    hasQuotas: false,
    hasOtherWays: makeSeededRandom(mixSeeds(seed, 17)).chance(OTHER_WAYS_PERCENT),
    isByComponent,
    mix: withMoreFaults(makeSeededRandom(mixSeeds(seed, 13)), drawFaultMix(random)),
    faultsEndAfterMs: random.between(60_000, mode === 'safety' ? 600_000 : 180_000),
    cycles: drawCycles(random),
    instantPercent: random.pick([40, 70, 90]),
    hasSequencer: random.chance(20),
    isAudited: random.chance(12),
    skipMsMin: random.chance(90) ? 20 : 1_000,
    gateAnswerMs: random.pick([50, 400, 2_000]),
    applyMs: random.pick([50, 1_000, 5_000]),
  };
}

/** Tells the simulated service that it may ask for time. */
export const POLLED = { 'x-polls': 'yes' } as const;

/** Gates of the kinds that only some seeds have: services that need time, windows, dependencies. */
function withMoreGates(random: SeededRandom, place: EnvironmentPlan): EnvironmentPlan {
  const { definition } = place;
  const polls = random.chance(50) ? { pollIntervalMs: random.pick([500, 3_000]), headers: POLLED } : {};
  const gates = definition.gates.map((gate) => (gate.kind === 'http' ? { ...gate, ...polls } : gate));
  if (definition.name === 'prod' && random.chance(60)) {
    const gate = drawGate(random, 'dependency', { isShort: true, promotesFrom: definition.promotesFrom });
    return { ...place, definition: { ...definition, gates: [...gates, gate] } };
  }
  if (random.chance(40)) return { ...place, definition: { ...definition, gates } };
  const shape = { isShort: random.chance(50), promotesFrom: definition.promotesFrom };
  return { ...place, definition: { ...definition, gates: [...gates, drawGate(random, 'window', shape)] } };
}

/** Short waits, so that a run passes through many of them. */
const SHORT_SETTINGS: Settings = {
  ...STANDARD_SETTINGS,
  'locks.timeout': 5_000,
  'queue.maxWait': 120_000,
  'gates.holdFor': 40_000,
  'precheck.holdFor': 45_000,
  'precheck.interval': 10_000,
  'probe.timeout': 3_000,
  'skips.expireAfter': 30_000,
};

function drawEnvironments(random: SeededRandom, isShort: boolean): EnvironmentPlan[] {
  const runsAny = random.chance(60);
  return ['dev', 'staging', 'prod', 'edge'].map((name) => {
    const promotesFrom = { dev: [], staging: ['dev'], prod: ['staging'], edge: ['dev'] }[name] ?? [];
    const kinds: SimulatedKind[] = (['http', 'approval', 'soak'] as const).filter(
      // A soak in a place that never runs the release looks every 30 s until its deadline: a day, where waits are long.
      (kind) => random.chance(kind === 'soak' && !isShort ? 8 : 45) && (kind !== 'soak' || promotesFrom.length > 0),
    );
    const definition = makeDefinition({
      name,
      promotesFrom,
      gates: kinds.map((kind) => drawGate(random, kind, { isShort, promotesFrom })),
      targets: Array.from({ length: random.between(1, 3) }, (_, index) =>
        makeTarget({ name: `${name}-${index + 1}`, component: random.chance(80) ? 'web' : 'api' }),
      ),
      // With `latest` everybody who waits looks every minute, which takes time where waits are long.
      queue: random.chance(isShort ? 35 : 3) ? 'latest' : 'fifo',
      onFailure: random.pick(['rollback', 'hold']),
      precheck: random.pick(['required', 'warn']),
      deployDeadlineMs: isShort ? 60_000 : 15 * 60_000,
    });
    return { definition, runs: runsAny && random.chance(70) ? random.between(1, 2) : null };
  });
}

function goByComponent(random: SeededRandom, { definition, runs }: EnvironmentPlan): EnvironmentPlan {
  const targets = definition.targets.map((target) => ({ ...target, component: random.pick(['api', 'web']) }));
  const concurrency = random.chance(80) ? ('per_component' as const) : ('exclusive' as const);
  return { definition: { ...definition, targets, concurrency }, runs };
}

export function drawGate(
  random: SeededRandom,
  kind: SimulatedKind,
  { isShort, promotesFrom }: { isShort: boolean; promotesFrom: readonly string[] },
): GateDefinition {
  // Skips of approvals are forbidden unless somebody allows them.
  const skip = random.chance(30) ? { skip: random.pick(['allowed', 'forbidden'] as const) } : {};
  const validity = isShort ? { validForMs: random.pick([86_400_000, 30_000, 8_000, 3_000]) } : {};
  switch (kind) {
    case 'http':
      return makeHttpGate({
        ...(isShort ? { timeoutMs: 8_000, retryCount: 1, backoffMs: 2_000 } : {}),
        ...validity,
        ...skip,
      });
    case 'approval': {
      const group = random.chance(20) ? ['alice', 'carol'] : null;
      const count = random.between(1, 2);
      return makeApprovalGate({ count, group, ...(isShort ? { deadlineMs: 90_000 } : {}), ...validity, ...skip });
    }
    case 'dependency':
      return makeDependencyGate({
        ...drawRequirements(random),
        ...(isShort ? { deadlineMs: 120_000 } : {}),
        ...validity,
        ...skip,
      });
    case 'window':
      return drawWindow(random, { ...validity, ...skip });
    case 'soak': {
      const timing = isShort ? { durationMs: 15_000, deadlineMs: 120_000 } : {};
      return makeSoakGate({ environments: promotesFrom, ...timing, ...validity, ...skip });
    }
  }
}

/** One place runs it already, or nothing is on its way into another. */
/** A program of the machine is asked by the same rules as a service. */
type SimulatedKind = Exclude<GateKind, 'command'>;

function drawRequirements(random: SeededRandom): Pick<DependencyGateDefinition, 'requires'> {
  const environment = random.pick(['dev', 'edge']);
  const component = random.chance(30) ? random.pick(['web', 'api']) : null;
  const runs = { environment, state: 'runs' as const, component, release: null };
  const idle = { environment: 'edge', state: 'idle' as const, component: null, release: null };
  return { requires: random.chance(30) ? [runs, idle] : [random.pick([runs, idle])] };
}

/** Open for a few minutes, closed for a few, several times from the beginning on; then always. */
function drawWindow(random: SeededRandom, patch: Partial<WindowGateDefinition>): WindowGateDefinition {
  const zone = random.pick(['UTC', 'Asia/Kolkata', 'Australia/Lord_Howe']);
  const clockAt = (minutes: number): string =>
    Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(
      TEST_EPOCH_MS + minutes * 60_000,
    );
  const allow: WeeklyTimes[] = [];
  let minute = random.between(0, 2);
  for (let count = 0; count < 4; count += 1) {
    const end = minute + random.between(1, 3);
    allow.push({ days: WEEKDAYS, from: clockAt(minute), to: clockAt(end) });
    minute = end + random.between(1, 3);
  }
  // Nearly the whole day after them, so that nobody waits for tomorrow.
  allow.push({ days: WEEKDAYS, from: clockAt(minute), to: clockAt(minute + 20 * 60) });
  return makeWindowGate({ ...patch, zone, allow });
}

function drawCycles(random: SeededRandom): CyclePlan[] {
  const spreadMs = random.pick([5_000, 60_000, 240_000]);
  const moments = Array.from({ length: random.between(7, 12) }, () => random.between(0, spreadMs));
  return moments
    .sort((a, b) => a - b)
    .map((atMs) => ({
      atMs,
      requester: random.pick(['alice', 'bob', 'ci']),
      olderBy: random.chance(12) ? random.between(1, 3) : null,
      environment: random.chance(85) ? 'dev' : random.pick(['staging', 'prod', 'edge']),
      goesOn: random.chance(80),
    }));
}
