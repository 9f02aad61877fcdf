/**
 * What a database holds, in maps: always and only what was committed. Rows are values that are replaced, never changed,
 * so a copy of the maps is a copy of the state.
 */
import type {
  AnySettingKey,
  Approval,
  Attempt,
  AttemptResult,
  AutomationId,
  ChainedEvent,
  DebtId,
  Delivery,
  DeliveryId,
  Digest,
  EnvironmentDefinition,
  EnvironmentStatus,
  GateDebt,
  Fence,
  GateRun,
  GateRunId,
  Lock,
  LockId,
  ObservationRound,
  PersonId,
  ProbeReport,
  Promotion,
  PromotionId,
  Release,
  ReleaseId,
  RoleBinding,
  Settings,
  Skip,
  SkipId,
  Step,
  StepRun,
  TargetObservation,
  TokenId,
  WorkerId,
} from '@stella/domain';
import { definitionHash } from '@stella/domain';
import type {
  ChannelRecord,
  NewCallback,
  NewToken,
  RegistryRecord,
  SettingChange,
  StoredAnswer,
  WorkerSession,
} from '@stella/server';
import { SafetyViolation } from '../simulation/safety-violation.ts';
import { makeRowLocks, type RowLocks } from './row-locks.ts';

export interface StoredPromotion {
  readonly promotion: Promotion;
  /** Claims in a row whose worker died before it wrote anything (safety L8). */
  readonly claimFailureCount: number;
  readonly steps: ReadonlyMap<Step, StepRun>;
  readonly gateRuns: ReadonlyMap<GateRunId, GateRun>;
  /** By operation id, in order of making; with the outcome that counts. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  readonly approvals: readonly StoredApproval[];
  readonly skips: ReadonlyMap<SkipId, StoredSkip>;
  readonly events: readonly ChainedEvent[];
}

/** What else an approval tells, its person's row says. */
export type StoredApproval = Omit<Approval, 'subject' | 'bindingsNow'>;

/** Likewise, of two persons. */
export type StoredSkip = Omit<Skip, 'requesterSubject' | 'deciderSubject' | 'deciderBindingsNow'>;

export interface StoredLock extends Lock {
  readonly releasedAtMs: number | null;
}

export interface StoredWorker {
  readonly state: 'live' | 'dead' | 'retired';
  readonly leaseUntilMs: number;
  readonly heartbeatAtMs: number;
  readonly session: WorkerSession;
}

export interface StoredPerson {
  readonly subject: string;
  readonly bindings: readonly RoleBinding[];
  readonly issuer?: string;
  readonly enrolledBy?: PersonId | null;
}

export interface StoredDefinition {
  readonly definition: EnvironmentDefinition;
  readonly version: number;
  readonly hash: Digest;
  readonly appliedAtMs: number;
}

export interface StoredEvent {
  /** Given before commit, in order of insertion. */
  readonly id: number;
  readonly event: ChainedEvent;
  /** Place and hash in the global chain; null until the sequencer has passed. */
  readonly seq: number | null;
  readonly chainHash: Digest | null;
}

export interface StoredOutcome {
  readonly operationId: string;
  readonly result: AttemptResult;
}

export interface StoredKey {
  readonly bodyHash: Digest;
  readonly createdAtMs: number;
  readonly answer: StoredAnswer | null;
}

export interface StoredAutomation {
  readonly id: AutomationId;
  readonly personId: PersonId;
  readonly bindings: readonly RoleBinding[];
}

export interface StoredEnrolment {
  readonly personId: PersonId;
  readonly expiresAtMs: number;
  readonly usedAtMs: number | null;
}

export interface StoredToken extends NewToken {
  readonly revokedAtMs: number | null;
}

export interface StoredCallback extends NewCallback {
  readonly receivedAtMs: number;
}

export interface StoredChannel extends ChannelRecord {
  /** Up to here in the global chain, events have become deliveries. */
  readonly seenSeq: number;
}

export interface StoredDelivery extends Delivery {
  /** What it tells of, once per channel. */
  readonly source: string;
}

export interface ChainHead {
  readonly seq: number;
  readonly chainHash: Digest | null;
}

export interface MemoryState {
  readonly promotions: Map<PromotionId, StoredPromotion>;
  readonly releases: Map<ReleaseId, Release>;
  /** Latest applied definition by name of the environment. */
  readonly definitions: Map<string, StoredDefinition>;
  /** Version of the latest definition by name; it stays when the environment goes. */
  readonly definitionVersions: Map<string, number>;
  readonly environments: Map<string, EnvironmentStatus>;
  /** By environment: what targets hold up to this fence was seen by an admin who raised it. */
  readonly fenceFloors: Map<string, Fence>;
  readonly persons: Map<PersonId, StoredPerson>;
  readonly automations: Map<string, StoredAutomation>;
  readonly enrolments: Map<Digest, StoredEnrolment>;
  readonly tokens: Map<TokenId, StoredToken>;
  readonly locks: Map<LockId, StoredLock>;
  readonly debts: Map<DebtId, GateDebt>;
  readonly workers: Map<WorkerId, StoredWorker>;
  /** Completions from before the first promotion here: moment by `<environment>/<release id>`. */
  readonly earlierCompletions: Map<string, number>;
  /** Outcomes without effect, by number. */
  readonly lateOutcomes: Map<number, StoredOutcome>;
  /** Captured output of attempts, by operation id, and when it was recorded. */
  readonly outputs: Map<string, { readonly output: string; readonly endedAtMs: number }>;
  /** Verdicts that services called back with, by operation id. */
  readonly callbacks: Map<string, StoredCallback>;
  readonly events: Map<number, StoredEvent>;
  /** Events that the sequencer has not chained yet; each is in `events`, too. */
  readonly unsequenced: Map<number, StoredEvent>;
  readonly chainHead: Map<'only', ChainHead>;
  readonly settingRows: Map<AnySettingKey, SettingChange>;
  readonly settingChanges: Map<string, SettingChange>;
  /** Wake-ups that a commit owes, by number. */
  readonly owedWakes: Map<number, { readonly promotionId: PromotionId; readonly owedAtMs: number }>;
  readonly idempotencyKeys: Map<string, StoredKey>;
  readonly channels: Map<string, StoredChannel>;
  /** By host. */
  readonly registries: Map<string, RegistryRecord>;
  readonly deliveries: Map<DeliveryId, StoredDelivery>;
  /** The newest of each subject, by its name. */
  readonly probes: Map<string, ProbeReport>;
  /** By environment. */
  readonly rounds: Map<string, ObservationRound>;
  /** By `<environment>/<target>`. */
  readonly observations: Map<string, TargetObservation>;

  /** Sequences: numbers drawn by a transaction that is rolled back stay drawn. */
  lastTicket: number;
  lastFence: number;
  lastReleaseNumber: number;
  lastEventId: number;
  lastOutcomeId: number;
  lastOwedId: number;
  fenceEpoch: number;
  /** What servers are started with, unless one says otherwise. */
  readonly settings: Settings;

  /** Workers' sessions that are gone, as `endSession` notes them. */
  readonly goneSessions: Set<string>;
  /** Sessions of another postmaster prove nothing (safety L2). */
  postmasterStart: string;
  readonly rowLocks: RowLocks;
  /** Rows are frozen deeply, so that a rule which writes to its input fails at once; costs time. */
  readonly isFrozen: boolean;
}

/** Of the first postmaster. */
export const POSTMASTER_START = '2026-01-01 00:00:00+00';

export function makeMemoryState(settings: Settings, { isFrozen = true }: { isFrozen?: boolean } = {}): MemoryState {
  return {
    promotions: new Map(),
    releases: new Map(),
    definitions: new Map(),
    definitionVersions: new Map(),
    environments: new Map(),
    fenceFloors: new Map(),
    persons: new Map(),
    automations: new Map(),
    enrolments: new Map(),
    tokens: new Map(),
    locks: new Map(),
    debts: new Map(),
    workers: new Map(),
    earlierCompletions: new Map(),
    lateOutcomes: new Map(),
    outputs: new Map(),
    callbacks: new Map(),
    events: new Map(),
    unsequenced: new Map(),
    chainHead: new Map([['only', { seq: 0, chainHash: null }]]),
    settingRows: new Map(),
    settingChanges: new Map(),
    owedWakes: new Map(),
    idempotencyKeys: new Map(),
    channels: new Map(),
    registries: new Map(),
    deliveries: new Map(),
    probes: new Map(),
    rounds: new Map(),
    observations: new Map(),
    lastTicket: 0,
    lastFence: 0,
    lastReleaseNumber: 0,
    lastEventId: 0,
    lastOutcomeId: 0,
    lastOwedId: 0,
    fenceEpoch: 1,
    settings,
    goneSessions: new Set(),
    postmasterStart: POSTMASTER_START,
    rowLocks: makeRowLocks(),
    isFrozen,
  };
}

/** An environment that is there from the start. */
export function putEnvironment(state: MemoryState, definition: EnvironmentDefinition, status: EnvironmentStatus): void {
  const { name } = definition;
  const version = (state.definitionVersions.get(name) ?? 0) + 1;
  const hash = definitionHash(definition);
  state.definitionVersions.set(name, version);
  state.definitions.set(name, { definition, version, hash, appliedAtMs: 0 });
  const { concurrency, freezes: plannedFreezes, quotas = null } = definition;
  state.environments.set(name, { ...status, concurrency, plannedFreezes, quotas });
}

/** A worker that is there from the start and never needs to renew its lease. */
export function putWorker(state: MemoryState, id: WorkerId): void {
  const session = { pid: state.workers.size + 1, backendStart: POSTMASTER_START, postmasterStart: POSTMASTER_START };
  state.workers.set(id, { state: 'live', leaseUntilMs: Number.MAX_SAFE_INTEGER, heartbeatAtMs: 0, session });
}

/** The process behind the session has ended, and the database has seen it: the worker is buried by it (safety L2). */
export function endSession(state: MemoryState, session: WorkerSession): void {
  state.goneSessions.add(sessionKey(session));
}

export function sessionKey({ pid, backendStart }: WorkerSession): string {
  return `${pid} ${backendStart}`;
}

/** The row that must be there. */
export function rowOf(state: MemoryState, id: PromotionId): StoredPromotion {
  const row = state.promotions.get(id);
  if (!row) throw new SafetyViolation('store', `no promotion ${id}`);
  return row;
}

/** A transaction holds the row. */
export function isRowLocked(state: MemoryState, id: PromotionId): boolean {
  return state.rowLocks.isHeld(promotionKey(id));
}

/** Name of a promotion's row among the row locks; other rows are named likewise where they are locked. */
export function promotionKey(id: PromotionId): string {
  return `promotion ${id}`;
}

export function debtKey(id: DebtId): string {
  return `debt ${id}`;
}

export function channelKey(name: string): string {
  return `channel ${name}`;
}

export function registryKey(host: string): string {
  return `registry ${host}`;
}

export function deliveryKey(id: DeliveryId): string {
  return `delivery ${id}`;
}

/** Of the row itself, in its map. */
export function observationKeyOf({ environment, target }: Pick<TargetObservation, 'environment' | 'target'>): string {
  return `${environment}/${target}`;
}

export function roundKey(environment: string): string {
  return `round ${environment}`;
}

export function environmentKey(name: string): string {
  return `environment ${name}`;
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
