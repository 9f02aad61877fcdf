/** What the API's reads ask of the database: one statement each, never from a replica, pages by cursor. */
import type {
  Actor,
  Approver,
  AttemptOutcome,
  ChainedEvent,
  DatabaseFacts,
  DiagnosisSnapshot,
  Digest,
  EnvironmentStatus,
  GateDebt,
  GateRunId,
  LockId,
  LockMode,
  Fence,
  PersonId,
  Property,
  Priority,
  PromotionId,
  PromotionKind,
  PromotionSnapshot,
  PromotionStatus,
  QuotaDefinition,
  QuotaName,
  QuotaRequest,
  QuotaUse,
  Release,
  RegistryDefinition,
  ReleaseComponent,
  ReleaseId,
  RoleBinding,
  AnySettingKey,
  Step,
  TargetObservation,
  TokenId,
  WorkerId,
} from '@stella/domain';
import type { EnvironmentRecord, IdempotencyRequest, StoredAnswer } from './command-store.ts';
import type { RegistryRecord } from './registry-credentials.ts';

/** Opaque position after the last row of a page, made and read by the store. Errors: `input.cursor`. */
export type Cursor = string;

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: Cursor | null;
}

export interface PageRequest {
  /** 1 to 500. */
  readonly limit: number;
  readonly cursor: Cursor | null;
}

export interface PromotionRow {
  readonly id: PromotionId;
  readonly releaseId: ReleaseId;
  readonly releaseName: string;
  readonly environment: string;
  readonly kind: PromotionKind;
  readonly status: PromotionStatus;
  readonly step: Step;
  readonly priority: Priority;
  readonly requestedBy: Actor;
  readonly createdAtMs: number;
  readonly lastProgressAtMs: number;
  readonly inProgressSinceMs: number;
  readonly endedAtMs: number | null;
}

/** A promotion that began to change targets. */
export interface DeploymentRow {
  readonly id: PromotionId;
  readonly kind: PromotionKind;
  readonly isForced: boolean;
  readonly releaseId: ReleaseId;
  readonly releaseName: string;
  readonly releaseNumber: number;
  /** What ran there before; null: nothing, or components of several releases. */
  readonly baseName: string | null;
  readonly status: PromotionStatus;
  readonly requestedBy: Actor;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly ending: { readonly code: string; readonly message: string } | null;
}

/** An artifact as one release has it. */
export interface ArtifactUse {
  readonly component: ReleaseComponent;
  readonly releaseId: ReleaseId;
  readonly releaseName: string;
  /** That run it of this release, as last verified; in order of name. */
  readonly environments: readonly string[];
}

/** The newest operation at a target, or the newest look at it by a promotion. */
export interface TargetLook {
  readonly target: string;
  readonly purpose: 'deploy' | 'rollback' | 'verify' | 'rollback_verify';
  readonly promotionId: PromotionId;
  readonly releaseName: string;
  readonly requestedBy: Actor;
  /** Null: it is under way. */
  readonly outcome: AttemptOutcome | null;
  readonly code: string;
  readonly message: string;
  readonly digest: Digest | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
}

/** Of one environment all, in order of name; null: of every environment those that drift or are not seen, drifting ones first. */
export interface ObservationFilter {
  readonly environment: string | null;
}

/** Targets of one environment that are not as they should be, as its observation last found. */
export interface DriftCounts {
  readonly environment: string;
  readonly driftCount: number;
  /** That could not be looked at. */
  readonly unseenCount: number;
  /** Of the last looks at each target; null: at none. */
  readonly oldestLookAtMs: number | null;
  /** By the database's clock. */
  readonly nowMs: number;
}

export interface PromotionFilter {
  readonly statuses: readonly PromotionStatus[] | null;
  readonly kinds: readonly PromotionKind[] | null;
  readonly environment: string | null;
  readonly releaseId: ReleaseId | null;
  /** No progress for longer than this, by the stall clock: the later of last progress and last entry into in_progress. */
  readonly olderThanMs: number | null;
  /** Made within this long. */
  readonly lastMs: number | null;
  /** Patterns of environments that the caller may see, as role bindings write them: `*`, `prod-*`. */
  readonly visible: readonly string[];
}

/** Who asked for promotions, and for how many. */
export interface ActorCounts {
  /** Most first. */
  readonly counts: readonly { readonly actor: Actor; readonly count: number }[];
  /** Only the newest promotions were counted, or only those who asked for most: there are more. */
  readonly isCut: boolean;
}

/** Quotas of one environment, read at one moment. */
export interface QuotaRow {
  readonly environment: string;
  readonly definition: QuotaDefinition | null;
  /** Answered and forgotten ones, too. */
  readonly requests: readonly QuotaRequest[];
  /** Null: nothing is limited there. */
  readonly use: QuotaUse | null;
  /** Promotions that wait for a place; a name that is absent has none. */
  readonly waiting: { readonly [Name in QuotaName]?: number };
  readonly nowMs: number;
}

export interface LockRow {
  readonly id: LockId;
  readonly resource: string;
  readonly mode: LockMode;
  readonly promotionId: PromotionId;
  readonly environment: string;
  readonly step: Step;
  readonly workerId: WorkerId | null;
  readonly fence: Fence;
  readonly acquiredAtMs: number;
  /** Of the holder's worker; null when no worker has it. */
  readonly heartbeatAtMs: number | null;
  readonly isStale: boolean;
  /** In order. */
  readonly waiters: readonly PromotionId[];
}

export interface WorkerRow {
  readonly id: WorkerId;
  readonly hostname: string;
  readonly version: string;
  readonly state: 'live' | 'dead' | 'retired';
  readonly startedAtMs: number;
  readonly heartbeatAtMs: number;
  readonly leaseUntilMs: number;
  readonly claimCount: number;
}

export interface EnvironmentRow extends EnvironmentRecord {
  readonly status: EnvironmentStatus;
  readonly releaseName: string | null;
  /** Open ones. */
  readonly debts: readonly GateDebt[];
  /** Names by id, of the releases that its components are of. */
  readonly releaseNames: Readonly<Record<string, string>>;
}

/** An event as it is stored; its place in the global chain is null until the sequencer has passed. */
export interface RecordedEvent extends ChainedEvent {
  readonly seq: number | null;
  readonly chainHash: Digest | null;
}

/** An event in the global chain, in its order. */
export interface SequencedEvent extends RecordedEvent {
  readonly seq: number;
  readonly chainHash: Digest;
}

export interface TokenRow {
  readonly id: TokenId;
  readonly name: string;
  readonly owner: string;
  readonly ownerKind: 'person' | 'automation';
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
}

/** A change of a setting; the last one says what it is now. */
export interface SettingChange {
  readonly key: AnySettingKey;
  /** Milliseconds, a count or bytes; null: unset. */
  readonly value: number | null;
  /** 1, 2, 3 … for each key. */
  readonly version: number;
  readonly changedAtMs: number;
  readonly changedBy: Actor;
  readonly reason: string;
}

/** Who a token belongs to, with the bindings held now. */
export interface TokenOwner {
  readonly tokenId: TokenId;
  readonly actor: Actor;
  /** The person it counts as. */
  readonly personId: PersonId;
  readonly bindings: readonly RoleBinding[];
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
}

export interface OrchestratorFacts {
  readonly databaseNowMs: number;
  readonly databaseVersion: string;
  readonly schemaVersion: number;
  /** Raised when the database was replaced, or a fence was raised (safety S2). */
  readonly installationEpoch: number;
  readonly promotionsByStatus: Readonly<Partial<Record<PromotionStatus, number>>>;
  readonly stalledCount: number;
  readonly setAsideCount: number;
  /** Live promotions that have been due and unclaimed for longest; null when none is. */
  readonly oldestDueAtMs: number | null;
  readonly liveLockCount: number;
  readonly openDebtCount: number;
  readonly unsequencedEventCount: number;
  readonly lastSeq: number;
  /** Rows that break a rule of safety, by property; what the audit found and still finds. */
  readonly violationsByProperty: Readonly<Partial<Record<Property, number>>>;
  /** End of the last whole sweep of the audit; null before the first. */
  readonly sweepEndedAtMs: number | null;
}

/** How long the lists of `MonitoringFacts` may be. */
export interface MonitoringLimits {
  readonly stalledCount: number;
  readonly workerCount: number;
}

export interface MonitoringFacts {
  /** Longest first. */
  readonly stalled: readonly {
    readonly promotionId: PromotionId;
    readonly environment: string;
    /** By the stall clock: the later of last progress and last entry into in_progress. */
    readonly stalledMs: number;
  }[];
  /** Environments whose newest ended deployment is a rollback that failed; at most 100. */
  readonly failedRollbacks: readonly { readonly environment: string; readonly promotionId: PromotionId }[];
  readonly liveWorkerCount: number;
  /** Oldest first. */
  readonly liveWorkers: readonly {
    readonly id: WorkerId;
    readonly hostname: string;
    readonly heartbeatAgeMs: number;
  }[];
  readonly database: {
    readonly nowMs: number;
    /** Not a standby, and not set to read only. */
    readonly isWritable: boolean;
    /** Of clients, whoever they are. */
    readonly connectionCount: number;
    readonly connectionCountMax: number;
    readonly sizeBytes: number;
  };
}

/** All that a diagnosis looks at in the database. */
export interface DiagnosisReading extends Omit<DiagnosisSnapshot, 'database' | 'server'> {
  readonly database: Omit<DatabaseFacts, 'readMs' | 'disk'>;
}

/** Attempts at one gate in one environment that began within a window; times are from the start to the outcome. */
export interface GateStats {
  readonly gate: string;
  readonly environment: string;
  readonly attemptCount: number;
  readonly passedCount: number;
  readonly failedCount: number;
  readonly timeoutCount: number;
  readonly errorCount: number;
  /** Under way. */
  readonly openCount: number;
  /** Null while none has ended; a time-out counts with the time that it was waited. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly maxMs: number | null;
  /** Only the newest attempts were looked at: there were more in the window. */
  readonly isCut: boolean;
}

/** An attempt at a gate, or one asking of a debt. */
export interface CallbackPlace {
  readonly promotionId: PromotionId;
  readonly gateRunId: GateRunId;
  readonly gate: string;
  /** It is owed, and this asking is the newest of an open debt. */
  readonly isDebt: boolean;
}

export interface ReadStore {
  /** Whole id or unique start of one. Errors: `promotion.not_found`, `input.id_ambiguous`; likewise below. */
  findPromotionId(text: string): Promise<PromotionId>;
  /** By name, whole id or unique start of one. Errors: `release.not_found` naming the nearest. */
  findRelease(text: string): Promise<Release>;
  findLockId(text: string): Promise<LockId>;
  /** `personId`: whom it counts as. */
  findTokenId(text: string): Promise<{ readonly id: TokenId; readonly personId: PersonId }>;
  readPromotion(id: PromotionId): Promise<{ readonly snapshot: PromotionSnapshot; readonly nowMs: number }>;
  /** Three statements, and up to two more for each of at most 5 promotions in its way. */
  readDiagnosis(id: PromotionId): Promise<DiagnosisReading>;
  listPromotions(filter: PromotionFilter, page: PageRequest): Promise<Page<PromotionRow>>;
  countPromotions(filter: PromotionFilter): Promise<number>;
  countPromotionActors(filter: PromotionFilter): Promise<ActorCounts>;
  /** Newest first; `statuses` null: all. */
  listDeployments(
    environment: string,
    wish: { readonly statuses: readonly PromotionStatus[] | null; readonly limit: number },
  ): Promise<readonly DeploymentRow[]>;
  /** Of each target that promotions have touched: its newest operation and the newest look at it. */
  listTargetLooks(environment: string): Promise<readonly TargetLook[]>;
  listObservations(filter: ObservationFilter): Promise<readonly TargetObservation[]>;
  /** Of at most `limit` environments: those in which something drifts, those in which something is not seen, then by name. */
  countDrift(limit: number): Promise<readonly DriftCounts[]>;
  /** Whole digest or unique start of one; of the newest 100 releases that have it. Errors: `artifact.not_found`, `input.id_ambiguous`. */
  readArtifact(digest: string): Promise<{ readonly digest: Digest; readonly uses: readonly ArtifactUse[] }>;
  listReleases(page: PageRequest): Promise<Page<Release>>;
  listEnvironments(): Promise<readonly EnvironmentRow[]>;
  /** Errors: `environment.not_found` naming the nearest. */
  readEnvironment(name: string): Promise<EnvironmentRow>;
  /** Of every environment, or of one. */
  listQuotas(environment: string | null): Promise<readonly QuotaRow[]>;
  listLocks(environment: string | null): Promise<readonly LockRow[]>;
  listWorkers(): Promise<readonly WorkerRow[]>;
  /** Sequenced events after `seq`, in order; of one promotion when named. */
  readEvents(afterSeq: number, limit: number, promotionId: PromotionId | null): Promise<readonly SequencedEvent[]>;
  /** All events of one promotion after `afterPromotionSeq` of its own chain, also those not sequenced yet. */
  readPromotionEvents(
    promotionId: PromotionId,
    afterPromotionSeq: number,
    limit: number,
  ): Promise<readonly RecordedEvent[]>;
  /** Null when the hash is not known. */
  findToken(tokenHash: Digest): Promise<TokenOwner | null>;
  /** `ownedBy`: only those that count as this person; null: all. */
  listTokens(ownedBy: PersonId | null, page: PageRequest): Promise<Page<TokenRow>>;
  /** `person.not_found` naming the nearest. */
  findPerson(subject: string): Promise<{
    readonly id: PersonId;
    readonly subject: string;
    readonly bindings: readonly RoleBinding[];
    readonly enrolledBy: string | null;
  }>;
  /** What a request with this Idempotency-Key was answered; null: none has ended. Errors: `idempotency.mismatch`. */
  /** Persons with the role approver or admin somewhere, by id. */
  listApprovers(limit: number): Promise<readonly Approver[]>;
  findAnswer(request: IdempotencyRequest): Promise<StoredAnswer | null>;
  /** What a gate was asked about by that operation; null: nothing was asked by it that a callback could answer. */
  findCallbackPlace(operationId: string): Promise<CallbackPlace | null>;
  /** Declared ones, in order of host. */
  listRegistries(): Promise<readonly RegistryRecord[]>;
  /** Null: nobody has declared it. */
  findRegistry(host: string): Promise<RegistryDefinition | null>;
  /** Those that were ever changed, as they are now. */
  listSettings(): Promise<readonly SettingChange[]>;
  /** Newest first. */
  listSettingChanges(key: AnySettingKey, page: PageRequest): Promise<Page<SettingChange>>;
  /** Ordered by environment; those without an attempt in the window are left out. */
  readGateStats(wish: {
    readonly gate: string;
    readonly environment: string | null;
    readonly lastMs: number;
  }): Promise<readonly GateStats[]>;
  readFacts(stuckAfterMs: number): Promise<OrchestratorFacts>;
  readMonitoring(stuckAfterMs: number, limits: MonitoringLimits): Promise<MonitoringFacts>;
}
