/** One run from nothing to a verdict: a world, a load, faults, and then what must be true. */
import { brokenRules, lostOperations, settle, strayEffects } from './final-checks.ts';
import { type FaultCounts, makeFaults } from './faults.ts';
import { type Load, startLoad } from './load.ts';
import { invariantViolations } from './invariants.ts';
import type { TorturePlan } from './plan.ts';
import { APP } from './postgres-process.ts';
import { makeRandom } from './random.ts';
import type { Death, Replica } from './replica.ts';
import { type Trial, watchTakeovers } from './takeovers.ts';
import { makeWorld, type World } from './world.ts';

export interface TortureReport {
  readonly torture: string;
  readonly seed: number;
  readonly seconds: number;
  readonly promotions: number;
  readonly perSecond: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly faults: FaultCounts;
  /** Different points at which a server died. */
  readonly pointCount: number;
  readonly points: readonly string[];
  readonly unclearAnswers: number;
  readonly unclearCodes: Readonly<Record<string, number>>;
  readonly switches: number;
  readonly takeovers: Readonly<Record<string, TakeoverFigures>>;
  /** Of workers that nobody had told to die. */
  readonly strangeDeaths: readonly string[];
  readonly findings: readonly string[];
}

interface TakeoverFigures {
  readonly trials: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly boundMs: number;
  readonly overBound: number;
}

export async function runTorture(plan: TorturePlan, note: (text: string) => void): Promise<TortureReport> {
  const random = makeRandom(plan.seed);
  const deaths: Death[] = [];
  note(`PostgreSQL ${plan.postgres}, seed ${plan.seed}`);
  const world = await makeWorld(plan, makeRandom(plan.seed + 1), (death) => deaths.push(death));
  try {
    return await torture(plan, { world, random, deaths, note });
  } catch (error) {
    const logs = world.replicas.map((one) => `--- ${one.name}\n${one.log().slice(-20).join('\n')}`);
    note([...logs, `--- postgres\n${world.postgres.log().slice(-3_000)}`].join('\n'));
    throw error;
  } finally {
    await world.remove();
  }
}

interface Run {
  readonly world: World;
  readonly random: ReturnType<typeof makeRandom>;
  readonly deaths: readonly Death[];
  readonly note: (text: string) => void;
}

async function torture(plan: TorturePlan, { world, random, deaths, note }: Run): Promise<TortureReport> {
  const { replicas, token, environments, layouts, witness } = world;
  let working: () => readonly Replica[] = () => replicas;
  const takeovers = watchTakeovers(witness, () => working().flatMap((one) => one.workerId() ?? []));
  const faults = makeFaults({ plan, world, random, takeovers });
  working = faults.working;
  const startMs = performance.now();
  const load = await startLoad({
    replicas: replicas.filter((replica) => replica.url() !== ''),
    token,
    environments,
    layouts,
    witness,
    random: makeRandom(plan.seed + 2),
    perSecond: plan.promotionsPerSecond,
  });
  const progress = setInterval(() => {
    note(`${load.operations.length} promotions; ${JSON.stringify(faults.counts)}`);
  }, 15_000);
  try {
    await faults.run();
  } finally {
    clearInterval(progress);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  await load.stop();
  const unsettled = await settle(witness);
  await takeovers.settle();
  const strangeDeaths = deaths
    .filter(({ how }) => how !== 'SIGKILL')
    .map(({ replica, how, words }) => `${replica} ended by itself, ${how}: ${words}`);
  // Thousands of rows in minutes, and a PostgreSQL that was killed before it counted them.
  await witness.demand('analyze');
  const findings = [
    ...unsettled,
    ...(await asFindings('the rules of safety', () => invariantViolations(world.postgres.url(APP)))),
    ...(await asFindings('the rules of the torture', () => brokenRules(witness))),
    ...(await asFindings('what was acknowledged', () => lostOperations(witness, load))),
    ...load.contradictions,
    ...(await asFindings('what was done outside', () => strayEffects(world))),
    ...takeovers.trials.filter(isLate).map((trial) => `a late takeover: ${JSON.stringify(trial)}`),
    ...strangeDeaths,
  ];
  return {
    torture: `PostgreSQL ${plan.postgres}`,
    seed: plan.seed,
    seconds: Math.round(seconds),
    promotions: load.operations.length,
    perSecond: Math.round((load.operations.length / seconds) * 10) / 10,
    statuses: await countStatuses(world),
    faults: faults.counts,
    pointCount: faults.points.size,
    points: [...faults.points].toSorted(),
    unclearAnswers: countUnclear(load),
    unclearCodes: Object.fromEntries(load.unclear),
    switches: world.watch.switches.length,
    takeovers: figuresOf(takeovers.trials),
    strangeDeaths,
    findings,
  };
}

/** A check that could not be made is a finding, and the figures of the run are told. */
async function asFindings(what: string, check: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await check();
  } catch (error) {
    return [`${what} could not be checked: ${String(error)}`];
  }
}

function isLate({ tookMs, boundMs }: Trial): boolean {
  return tookMs > boundMs;
}

function countUnclear({ operations }: Load): number {
  return operations.filter((one) => one.unclearCount > 0).length;
}

async function countStatuses({ witness }: World): Promise<Readonly<Record<string, number>>> {
  const rows = await witness.demand<{ status: string; count: number }>(
    'select status, count(*)::int as count from promotions group by 1 order by 1',
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

function figuresOf(trials: readonly Trial[]): Readonly<Record<string, TakeoverFigures>> {
  const groups = new Map<string, Trial[]>();
  for (const trial of trials) {
    const suspects = trial.suspectCount > 0 ? ', with suspects' : '';
    const name = trial.isDisturbed ? `${trial.kind}, disturbed` : `${trial.kind}${suspects}`;
    groups.set(name, [...(groups.get(name) ?? []), trial]);
  }
  return Object.fromEntries(
    [...groups].map(([name, group]) => {
      const sorted = group.map((trial) => Math.round(trial.tookMs)).toSorted((a, b) => a - b);
      const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
      const boundMs = group[0]?.boundMs ?? 0;
      return [
        name,
        {
          trials: group.length,
          p50Ms: at(0.5),
          p99Ms: at(0.99),
          maxMs: at(1),
          boundMs,
          overBound: group.filter(isLate).length,
        },
      ];
    }),
  );
}
