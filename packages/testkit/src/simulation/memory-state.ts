/**
 * What a database would hold, in maps: the rows of the simulation. Rows are frozen values that are replaced, never
 * changed, so that a rule which writes to its input fails at once.
 */
import type {
  Approval,
  Attempt,
  ChainedEvent,
  EnvironmentDefinition,
  EnvironmentStatus,
  GateRun,
  GateRunId,
  Lock,
  LockId,
  PersonId,
  PredecessorStatus,
  Promotion,
  PromotionId,
  PromotionSnapshot,
  Release,
  ReleaseId,
  RoleBinding,
  Settings,
  Step,
  StepRun,
  WorkerId,
} from '@stella/domain';
import { SafetyViolation } from './safety-violation.ts';

export interface StoredPromotion {
  promotion: Promotion;
  readonly steps: Map<Step, StepRun>;
  readonly gateRuns: Map<GateRunId, GateRun>;
  /** By operation id, in order of making. */
  readonly attempts: Map<string, Attempt>;
  readonly approvals: Approval[];
  readonly events: ChainedEvent[];
  /** A transaction holds the row. */
  isLocked: boolean;
}

export interface StoredLock extends Lock {
  readonly releasedAtMs: number | null;
}

export interface StoredWorker {
  readonly state: 'live' | 'dead' | 'retired';
  readonly leaseUntilMs: number;
}

export interface StoredPerson {
  readonly subject: string;
  readonly bindings: readonly RoleBinding[];
}

export interface MemoryState {
  readonly promotions: Map<PromotionId, StoredPromotion>;
  readonly releases: Map<ReleaseId, Release>;
  /** Latest applied definition by name. */
  readonly definitions: Map<string, EnvironmentDefinition>;
  readonly environments: Map<string, EnvironmentStatus>;
  readonly persons: Map<PersonId, StoredPerson>;
  readonly locks: Map<LockId, StoredLock>;
  readonly workers: Map<WorkerId, StoredWorker>;
  /** Completions from before the first promotion here: moment by `<environment>/<release id>`. */
  readonly earlierCompletions: Map<string, number>;
  readonly lateOutcomes: { readonly operationId: string; readonly outcome: string }[];
  /** Sequences: numbers drawn by a transaction that is rolled back stay drawn. */
  lastTicket: number;
  lastFence: number;
  readonly fenceEpoch: number;
  readonly settings: Settings;
}

export function makeMemoryState(settings: Settings): MemoryState {
  return {
    promotions: new Map(),
    releases: new Map(),
    definitions: new Map(),
    environments: new Map(),
    persons: new Map(),
    locks: new Map(),
    workers: new Map(),
    earlierCompletions: new Map(),
    lateOutcomes: [],
    lastTicket: 0,
    lastFence: 0,
    fenceEpoch: 1,
    settings,
  };
}

/** The row that must be there. */
export function rowOf(state: MemoryState, id: PromotionId): StoredPromotion {
  const row = state.promotions.get(id);
  if (!row) throw new SafetyViolation('store', `no promotion ${id}`);
  return row;
}

export function liveLocksOf(state: MemoryState, id: PromotionId): Lock[] {
  return [...state.locks.values()].flatMap(({ releasedAtMs, ...lock }) =>
    releasedAtMs === null && lock.promotionId === id ? [lock] : [],
  );
}

/** Everything that `decide` may look at, as one transaction sees it. */
export function readSnapshot(state: MemoryState, id: PromotionId): PromotionSnapshot {
  const row = rowOf(state, id);
  const { promotion } = row;
  const environment = environmentOf(state, promotion.environment);
  return {
    promotion,
    release: releaseOf(state, promotion.releaseId),
    // The database gives no order to steps and locks: the latest first is as good as any.
    steps: [...row.steps.values()].reverse(),
    gateRuns: [...row.gateRuns.values()].sort((a, b) => a.round - b.round),
    attempts: [...row.attempts.values()].sort((a, b) => a.startedAtMs - b.startedAtMs || a.number - b.number),
    approvals: row.approvals.map((approval) => ({
      ...approval,
      bindingsNow: state.persons.get(approval.personId)?.bindings ?? [],
    })),
    locks: liveLocksOf(state, id).reverse(),
    environment,
    base: environment.releaseId === null ? null : releaseOf(state, environment.releaseId),
    predecessors: readPredecessors(state, promotion.definition, promotion.releaseId),
    settings: state.settings,
  };
}

export function readPredecessors(
  state: MemoryState,
  definition: EnvironmentDefinition,
  releaseId: ReleaseId,
): PredecessorStatus[] {
  return definition.promotesFrom.map((name) => {
    const completions = [...state.promotions.values()]
      .map((row) => row.promotion)
      .filter((one) => one.releaseId === releaseId && one.environment === name && one.status === 'completed')
      .map((one) => one.endedAtMs ?? 0);
    const earlierAtMs = state.earlierCompletions.get(`${name}/${releaseId}`);
    if (earlierAtMs !== undefined) completions.push(earlierAtMs);
    const completedAtMs = completions.length > 0 ? Math.max(...completions) : null;
    return { ...environmentOf(state, name), completedAtMs };
  });
}

export function environmentOf(state: MemoryState, name: string): EnvironmentStatus {
  const status = state.environments.get(name);
  if (!status) throw new SafetyViolation('store', `no environment ${name}`);
  return status;
}

export function releaseOf(state: MemoryState, id: ReleaseId): Release {
  const release = state.releases.get(id);
  if (!release) throw new SafetyViolation('store', `no release ${id}`);
  return release;
}
