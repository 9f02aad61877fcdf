/**
 * What a simulated run is about: environments in a row, who wants what when, which workers fail when. Everything that
 * it leaves open (durations, outcomes, who approves) is decided by its seed, so a scenario is a reproduction.
 */
import {
  type EnvironmentDefinition,
  type GateDefinition,
  type GateKind,
  type OnFailure,
  parseSetting,
  type PrecheckMode,
  type Priority,
  type QueueMode,
  type Settings,
  STANDARD_SETTINGS,
} from '@stella/domain';
import {
  makeApprovalGate,
  makeDefinition,
  makeEmptyEnvironment,
  makeHttpGate,
  makeRelease,
  makeSoakGate,
  makeTarget,
  makeWholeEnvironment,
  releaseIdOf,
} from '../fixtures.ts';
import { makeMemoryState, type MemoryState, putEnvironment } from '../memory/memory-state.ts';
import { makeMemoryTarget, type MemoryTarget } from './memory-target.ts';

export interface Scenario {
  readonly seed: number;
  /** At least one; each promotes from the one before. */
  readonly environments: readonly EnvironmentPlan[];
  readonly workerCount: number;
  /** At first; a command changes it. */
  readonly locksMode: LocksMode;
  /** Of a hundred effects so many go wrong in some way. */
  readonly badLuckPercent: number;
  readonly requests: readonly RequestPlan[];
  readonly commands: readonly CommandPlan[];
  readonly faults: readonly FaultPlan[];
}

export interface EnvironmentPlan {
  readonly gates: readonly GateKind[];
  readonly targetCount: number;
  readonly onFailure: OnFailure;
  readonly precheck: PrecheckMode;
  readonly queue: QueueMode;
  readonly approvalCount: number;
  /** Verdicts count for so long; short ones expire while the promotion waits. */
  readonly validForMs: number;
  /** Number of the release that it runs at first; null: it is empty. */
  readonly runs: number | null;
}

export interface RequestPlan {
  readonly atMs: number;
  /** Number of the release, 1 to 9. */
  readonly release: number;
  readonly environment: number;
  readonly priority: Priority;
  readonly requester: 'alice' | 'bob' | 'ci';
  /** After completion it is requested for the next environment too. */
  readonly goesOn: boolean;
}

export type LocksMode = 'pessimistic' | 'optimistic';

export const COMMAND_WORDS = [
  'cancel',
  'retry',
  'reject',
  'release_lock',
  'force_release',
  'change_rights',
  'apply',
  'switch_locks_mode',
] as const;

export interface CommandPlan {
  readonly atMs: number;
  readonly word: (typeof COMMAND_WORDS)[number];
  /** Picks one of the promotions or locks there are. */
  readonly pick: number;
}

export interface FaultPlan {
  readonly atMs: number;
  /** `kill`: the process is gone. `pause`: it stands still for `lengthMs`. `retire`: it drains. */
  readonly kind: 'kill' | 'pause' | 'retire';
  readonly pick: number;
  readonly lengthMs: number;
}

/** Short waits, so that a run passes through many of them. */
export const SIMULATION_SETTINGS: Settings = {
  ...STANDARD_SETTINGS,
  'locks.timeout': 5_000,
  'queue.maxWait': 120_000,
  'gates.holdFor': 40_000,
  'skips.expireAfter': 12_000,
  'precheck.holdFor': 45_000,
  'precheck.interval': 10_000,
  'probe.timeout': 3_000,
};

/** The definition that a plan stands for; `index` is its place in the row. */
export function definitionOfPlan(plans: readonly EnvironmentPlan[], index: number): EnvironmentDefinition {
  const plan = plans[index];
  if (!plan) throw new RangeError(`no environment ${index}`);
  const name = environmentName(index);
  const promotesFrom = index === 0 ? [] : [environmentName(index - 1)];
  return makeDefinition({
    name,
    promotesFrom,
    // A soak needs somewhere to soak.
    gates: plan.gates.filter((kind) => kind !== 'soak' || index > 0).map((kind) => gateOf(plan, kind, promotesFrom)),
    targets: Array.from({ length: plan.targetCount }, (_, n) => makeTarget({ name: `${name}-${n + 1}` })),
    onFailure: plan.onFailure,
    precheck: plan.precheck,
    queue: plan.queue,
    deployDeadlineMs: 60_000,
  });
}

export function environmentName(index: number): string {
  return ['dev', 'staging', 'prod'][index] ?? `stage-${index}`;
}

function gateOf(plan: EnvironmentPlan, kind: GateKind, environments: readonly string[]): GateDefinition {
  const { validForMs } = plan;
  switch (kind) {
    case 'http':
      return makeHttpGate({ timeoutMs: 8_000, retryCount: 1, backoffMs: 2_000, validForMs });
    case 'approval':
      return makeApprovalGate({ count: plan.approvalCount, deadlineMs: 90_000, validForMs });
    case 'soak':
      return makeSoakGate({ durationMs: 15_000, environments, deadlineMs: 120_000, validForMs });
  }
}

const RELEASE_COUNT = 9;

/** The state before the first request: releases 1 to 9, and every environment with what it runs. */
export function makePlaces(
  plans: readonly EnvironmentPlan[],
  locksMode: LocksMode,
): {
  readonly state: MemoryState;
  readonly targetOf: (environment: string, target: string) => MemoryTarget;
} {
  const state = makeMemoryState({ ...SIMULATION_SETTINGS, 'locks.mode': parseSetting('locks.mode', locksMode) });
  for (let n = 1; n <= RELEASE_COUNT; n += 1)
    state.releases.set(releaseIdOf(n), makeRelease(n, n % 3 === 0 ? ['api', 'web'] : ['web']));
  const targets = new Map<string, MemoryTarget>();
  plans.forEach((plan, index) => {
    const definition = definitionOfPlan(plans, index);
    const { name } = definition;
    const release = plan.runs === null ? null : makeRelease(plan.runs);
    putEnvironment(state, definition, release ? makeWholeEnvironment(name, release) : makeEmptyEnvironment(name));
    for (const target of definition.targets) {
      targets.set(`${name}/${target.name}`, makeMemoryTarget(release?.components[0]?.digest ?? null));
    }
  });
  return {
    state,
    targetOf: (environment, target) => {
      const found = targets.get(`${environment}/${target}`);
      if (!found) throw new RangeError(`no target ${target} in ${environment}`);
      return found;
    },
  };
}
