/**
 * What the API's writes ask of the database: one transaction per request, in which the effect, its audit events and its
 * idempotency key are written together (safety S6, S12).
 */
import type {
  Actor,
  AutomationId,
  DebtApproval,
  DecideContext,
  Decision,
  Delivery,
  DeliveryId,
  Digest,
  EnvironmentDefinition,
  EnvironmentFreeze,
  EnvironmentStatus,
  EventDraft,
  Fence,
  GateDebt,
  GateRunId,
  LockId,
  ObservedBreak,
  NotificationChannel,
  PersonId,
  PredecessorStatus,
  PromotionId,
  PromotionKind,
  PromotionSnapshot,
  QuotaRequest,
  Release,
  RegistryDefinition,
  ReleaseComponent,
  RoleBinding,
  AnySettingKey,
  Settings,
  TokenId,
} from '@stella/domain';
import type { ChannelRecord } from './notification-store.ts';
import type { SettingChange } from './read-store.ts';
import type { RegistryRecord } from './registry-credentials.ts';

/** Names a request so that its repeat gets the same answer. */
export interface IdempotencyRequest {
  /** Of the caller: person or automation. */
  readonly actorId: string;
  /** `POST /api/v1/promotions`. */
  readonly route: string;
  /** As the caller sent it, at most 200 characters. */
  readonly key: string;
  readonly bodyHash: Digest;
}

export interface StoredAnswer {
  readonly status: number;
  /** JSON value. */
  readonly body: unknown;
}

export interface CommandStore {
  /**
   * Runs `work` in one transaction and keeps its answer under the idempotency key. A repeat answers what was kept,
   * without running `work`. Errors: `idempotency.mismatch`, `idempotency.in_flight`, `database.unavailable`, and
   * whatever `work` throws, after which nothing was written.
   */
  transact(
    idempotency: IdempotencyRequest | null,
    work: (tx: CommandTransaction) => Promise<StoredAnswer>,
  ): Promise<StoredAnswer>;
}

export interface LiveDefinition {
  readonly promotionId: PromotionId;
  readonly definition: EnvironmentDefinition;
}

/** A signed verdict, as it was taken. */
export interface NewCallback {
  readonly operationId: string;
  readonly gateRunId: GateRunId;
  /** The sender's name for the message. */
  readonly webhookId: string;
  readonly verdict: 'passed' | 'failed';
  readonly message: string;
  /** The whole body in canonical form, for replay. */
  readonly body: string;
}

export interface CommandTransaction {
  /**
   * The database's clock at the start of the transaction; after `lockPromotion` and `guard` when what they answer was read,
   * so that what others did to the promotion while they waited for its row lies before what is done now.
   */
  readonly nowMs: number;
  /** As they are now: what was set, over what the server was started with. */
  readonly settings: Settings;

  /** The promotion as this transaction sees it, without a lock. Errors: `promotion.not_found`. */
  readPromotion(id: PromotionId): Promise<PromotionSnapshot>;
  /** Row of the promotion `for update`; null when there is none. */
  lockPromotion(id: PromotionId): Promise<PromotionSnapshot | null>;
  /** After `lockPromotion` only: locks the environment's row and reads what only its holder may look at. */
  guard(
    snapshot: PromotionSnapshot,
  ): Promise<{ snapshot: PromotionSnapshot; guard: NonNullable<DecideContext['guard']> }>;
  /** Writes what a command decided. `promotion.live_exists` when another live one has this release and environment. */
  writeDecision(decision: Decision): Promise<void>;
  /**
   * Keeps what a gate's service called back with: once per operation, and each id once per gate run, whatever ends at the
   * same time. Anything but `written` has written nothing.
   */
  insertCallback(callback: NewCallback): Promise<'written' | 'replayed' | 'answered'>;
  /** An approval of a gate that a completed promotion owes; its debt is looked at now. The promotion does not change. */
  writeDebtApproval(approval: DebtApproval): Promise<void>;
  /** The promotion that holds a live lock; null when the lock is not live or not known. */
  findLockHolder(id: LockId): Promise<{ promotionId: PromotionId; isStale: boolean } | null>;

  /** All that `planPromotion` needs, of a promotion of that kind (`promote`); the environment's row is locked `for share`. Null: no such environment. */
  readEntry(environment: string, release: Release, kind?: PromotionKind): Promise<EnvironmentEntry | null>;
  insertPromotion(decision: Decision): Promise<void>;
  insertRelease(release: { name: string; components: readonly ReleaseComponent[] }, actor: Actor): Promise<Release>;

  /** Every environment, locked `for update` in order of name. */
  lockEnvironments(): Promise<readonly EnvironmentRecord[]>;
  /** The environment's row `for update`, and a promotion that holds a live lock of it. Null: no such environment. */
  lockEnvironment(
    name: string,
  ): Promise<{ readonly status: EnvironmentStatus; readonly holder: PromotionId | null } | null>;
  /** Newer than every fence drawn before and than `held`; raises the installation epoch when that takes it. */
  drawFenceAbove(held: Fence | null): Promise<Fence>;
  /**
   * After `lockEnvironment`: writes state and stop. What targets hold up to `floor` is known from now on; whoever waits in
   * the environment looks again.
   */
  writeRaisedFence(status: EnvironmentStatus, floor: Fence): Promise<void>;
  /** After `lockEnvironment`; whoever waits at gates or for a lock there looks again. */
  writeFreeze(environment: string, freeze: EnvironmentFreeze): Promise<void>;
  /** After `lockEnvironment`: all that are kept of it. */
  writeQuotaRequests(environment: string, requests: readonly QuotaRequest[]): Promise<void>;
  /** New version of the definition; raises `policy_revision`. Whoever waits there looks again: its freezes count for all. */
  writeDefinition(definition: EnvironmentDefinition, actor: Actor): Promise<EnvironmentRecord>;
  /** Answers what was owed there, now closed: it is owed for nothing that runs. */
  removeEnvironment(name: string): Promise<readonly GateDebt[]>;
  /** Live promotions of an environment, at most 10. */
  livePromotionsOf(environment: string): Promise<readonly PromotionId[]>;
  /** Definitions that live promotions of an environment were made with, each once, with the first such promotion. */
  liveDefinitionsOf(environment: string): Promise<readonly LiveDefinition[]>;

  insertPerson(person: NewPerson): Promise<{ id: PersonId }>;
  insertEnrolment(enrolment: { codeHash: Digest; personId: PersonId; expiresAtMs: number }): Promise<void>;
  /** Marks the code used and answers whose it is; null when unknown, used or expired. */
  useEnrolment(codeHash: Digest): Promise<{ personId: PersonId; subject: string } | null>;
  insertToken(token: NewToken): Promise<void>;
  /** Idempotent; null when there is no such token. */
  revokeToken(id: TokenId): Promise<{ revokedAtMs: number } | null>;
  /** The automation of that name, made when there is none. */
  ensureAutomation(name: string, personId: PersonId, bindings: readonly RoleBinding[]): Promise<{ id: AutomationId }>;

  /** Every channel, locked `for update` in order of name. */
  lockChannels(): Promise<readonly ChannelRecord[]>;
  /** New version of a channel; a new one hears of what happens from now on. */
  writeChannel(definition: NotificationChannel): Promise<ChannelRecord>;
  /** What is on its way to it is given up. */
  removeChannel(name: string): Promise<void>;
  /** The delivery's row `for update`; null when there is none. */
  lockDelivery(id: DeliveryId): Promise<Delivery | null>;
  /** After `lockDelivery`: due at once, as if it were new. */
  reopenDelivery(delivery: Delivery): Promise<Delivery>;

  /** Every declared registry, locked `for update` in order of host. */
  lockRegistries(): Promise<readonly RegistryRecord[]>;
  /** New version of a declared registry, which counts from the commit on. */
  writeRegistry(definition: RegistryDefinition): Promise<RegistryRecord>;
  removeRegistry(host: string): Promise<void>;
  /** Live promotions of releases with an artifact there, at most 10. */
  livePromotionsFrom(registryHost: string): Promise<readonly PromotionId[]>;

  /** Locks a setting; null when it was never changed. */
  lockSetting(key: AnySettingKey): Promise<{ readonly value: number | null; readonly version: number } | null>;
  /** After `lockSetting`. Answers the new version; makes promotions due whose deadlines may depend on it. */
  writeSetting(change: {
    readonly key: AnySettingKey;
    readonly value: number | null;
    readonly reason: string;
    readonly actor: Actor;
  }): Promise<number>;
  /** Those that were ever changed, as they are now. */
  listSettings(): Promise<readonly SettingChange[]>;

  /** Events outside of a promotion; a promotion's own are written with its decision. */
  writeEvents(events: readonly EventDraft[]): Promise<void>;
}

export interface EnvironmentEntry {
  readonly record: EnvironmentRecord;
  readonly status: EnvironmentStatus;
  readonly base: Release | null;
  /** As a promotion of that kind looks at them. */
  readonly predecessors: readonly PredecessorStatus[];
  /** The release completed in this environment before; looked at for rollbacks only. */
  readonly hasCompletedHere: boolean;
  /** What looks at its targets found, as for whoever soaks in it. */
  readonly breaks: readonly ObservedBreak[];
}

export interface EnvironmentRecord {
  readonly definition: EnvironmentDefinition;
  /** 1, 2, 3 …, one per applied change. */
  readonly version: number;
  readonly hash: Digest;
  readonly appliedAtMs: number;
}

export interface NewPerson {
  readonly issuer: string;
  readonly subject: string;
  readonly bindings: readonly RoleBinding[];
  /** Null for the first admin, whom the server itself enrols. */
  readonly enrolledBy: PersonId | null;
}

export interface NewToken {
  readonly id: TokenId;
  /** SHA-256 of the token; the token itself is never stored. */
  readonly tokenHash: Digest;
  readonly owner:
    | { readonly kind: 'person'; readonly id: PersonId }
    | { readonly kind: 'automation'; readonly id: AutomationId };
  readonly mintedBy: PersonId | null;
  readonly name: string;
  readonly expiresAtMs: number;
}
