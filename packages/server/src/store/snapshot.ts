/**
 * Reads a promotion with all that `decide` looks at, in one statement. Every list has its order, so that the same rows
 * lead to the same decision. Definitions and releases never change, so they are kept in memory by hash and id; the rest is
 * read each time.
 */
import {
  emptyEnvironment,
  AppError,
  type Attempt,
  type Approval,
  baseIdOf,
  composeBase,
  type EnvironmentDefinition,
  type EnvironmentStatus,
  type GateRun,
  type Lock,
  NO_DEPENDENCIES,
  type PredecessorStatus,
  type Promotion,
  type PromotionSnapshot,
  type Release,
  type ReleaseId,
  releaseIdsOf,
  type RoleBinding,
  type Settings,
  type StepRun,
} from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { type ImmutableRows, keep } from './immutable-rows.ts';
import { readRelease } from './release-rows.ts';
import { readDependencies } from './dependency-rows.ts';
import { type RawBreak, SELECT_BREAKS, toObservedBreak } from './observation-rows.ts';
import { artifactsCompletedAt, artifactsSince } from './predecessor-columns.ts';
import { findReplacement } from './replacement.ts';
import { overlay, SET_SETTINGS } from './setting-rows.ts';
import { type RawDebt, type RawSkip, SELECT_DEBTS, SELECT_SKIPS, toDebt, toSkip } from './skip-rows.ts';
import { toStop } from './environment-stop-column.ts';

/** Locks the promotion's row; every write to a promotion begins with it. */
const LOCK_PROMOTION: Statement = {
  name: 'promotion_lock',
  text: `select p.claim_epoch, (select w.state = 'live' from workers w where w.id = p.worker_id) as has_live_worker
    from promotions p where p.id = $1 for update`,
};

const READ_SNAPSHOT: Statement = {
  name: 'snapshot_read',
  text: `select to_json(p) as promotion, date_trunc('milliseconds', clock_timestamp()) as now,
      ${SET_SETTINGS} as settings,
      (select coalesce(json_agg(s order by s.step collate "C"), '[]') from promotion_steps s where s.promotion_id = p.id) as steps,
      (select coalesce(json_agg(g order by g.round, g.id), '[]') from gate_runs g where g.promotion_id = p.id) as gate_runs,
      (select coalesce(json_agg(t order by t.started_at, t.number, t.operation_id collate "C"), '[]') from (
         select a.*, k.acknowledged_at, o.outcome, o.code, o.message, o.digest, o.sealed, o.ended_at, o.worker_id
         from attempts a left join gate_acknowledgements k on k.operation_id = a.operation_id left join attempt_outcomes o on o.operation_id = a.operation_id and not o.is_late
         where a.promotion_id = p.id) t) as attempts,
      (select coalesce(json_agg(t order by t.decided_at, t.id), '[]') from (
         select v.*, n.subject,
           (select coalesce(json_agg(json_build_object('role', b.role, 'pattern', b.pattern)), '[]')
            from role_bindings b where b.owner_id = v.person_id) as bindings
         from approvals v join persons n on n.id = v.person_id where v.promotion_id = p.id) t) as approvals,
      ${SELECT_SKIPS} as skips, ${SELECT_DEBTS} as debts,
      (select coalesce(json_agg(l order by l.id), '[]') from locks l where l.promotion_id = p.id and l.released_at is null) as locks,
      (select to_json(e) from environments e where e.name = p.environment) as environment,
      (select coalesce(json_agg(t), '[]') from (
         select e.*, case p.kind when 'deploy' then ${artifactsCompletedAt('p.release_id')} else (select max(c.ended_at) from promotions c
            where c.release_id = p.release_id and c.environment = e.name and c.status = 'completed') end as completed_at,
           case p.kind when 'deploy' then ${artifactsSince('p.release_id')} end as artifacts_since,
           ${SELECT_BREAKS} as breaks
         from (select d.definition from environment_definitions d
             where d.environment = p.environment and d.hash = p.definition_hash limit 1) d,
           jsonb_array_elements_text(d.definition -> 'promotesFrom') f
         join environments e on e.name = f) t) as predecessors
    from promotions p where p.id = $1`,
};

const READ_DEFINITION: Statement = {
  name: 'definition_read',
  text: 'select definition from environment_definitions where hash = $1 limit 1',
};

export interface LockedPromotion {
  readonly claimEpoch: number;
  /** Somebody has claimed it, and was not declared dead since. */
  readonly hasLiveWorker: boolean;
}

/** Null: there is no such promotion. */
export async function lockPromotionRow(session: Session, id: string): Promise<LockedPromotion | null> {
  const [row] = await session.rows(LOCK_PROMOTION, [id]);
  if (!row) return null;
  return {
    claimEpoch: Number(row['claim_epoch']),
    hasLiveWorker: row['has_live_worker'] === true,
  };
}

/** Null: there is no such promotion. */
export async function readSnapshot(
  session: Session,
  cache: ImmutableRows,
  settings: Settings,
  id: string,
): Promise<PromotionSnapshot | null> {
  return (await readTimedSnapshot(session, cache, settings, id))?.snapshot ?? null;
}

export interface TimedSnapshot {
  readonly snapshot: PromotionSnapshot;
  /** The database's clock when it was read. */
  readonly nowMs: number;
}

/** Null: there is no such promotion. */
export async function readTimedSnapshot(
  session: Session,
  cache: ImmutableRows,
  settings: Settings,
  id: string,
): Promise<TimedSnapshot | null> {
  const [row] = await session.rows(READ_SNAPSHOT, [id]);
  if (!row) return null;
  const raw = row as unknown as RawSnapshot;
  const { promotion: stored } = raw;
  const definition = await readDefinition(session, cache, stored.definition_hash);
  const release = await readRelease(session, cache, stored.release_id);
  const environment = raw.environment ? toEnvironmentStatus(raw.environment) : emptyEnvironment(stored.environment);
  const base = await readBase(session, cache, environment, release);
  const promotion = toPromotion(stored, definition);
  const { base_release_id: boundId } = stored;
  const isRebased = boundId !== baseIdOf(environment, release);
  const formerBase = isRebased ? await readComposed(session, cache, boundId) : null;
  const snapshot: PromotionSnapshot = {
    promotion,
    release,
    steps: raw.steps.map(toStepRun),
    gateRuns: raw.gate_runs.map(toGateRun),
    attempts: raw.attempts.map(toAttempt),
    approvals: raw.approvals.map(toApproval),
    skips: raw.skips.map(toSkip),
    debts: raw.debts.map(toDebt),
    locks: raw.locks.map(toLock),
    environment,
    base,
    formerBase,
    predecessors: raw.predecessors.map(toPredecessor),
    dependencies: promotion.endedAtMs === null ? await readDependencies(session, definition) : NO_DEPENDENCIES,
    settings: overlay(settings, raw.settings),
    replacement: await findReplacement(session, promotion, release),
  };
  return { snapshot, nowMs: raw.now };
}

/** What runs in the scope of a promotion of the release; null before anything was verified there. */
export async function readBase(
  session: Session,
  cache: ImmutableRows,
  environment: EnvironmentStatus,
  release: Release,
): Promise<Release | null> {
  return readComposed(session, cache, baseIdOf(environment, release));
}

async function readComposed(session: Session, cache: ImmutableRows, id: ReleaseId | null): Promise<Release | null> {
  if (id === null) return null;
  return composeBase(id, await Promise.all(releaseIdsOf(id).map((one) => readRelease(session, cache, one))));
}

export async function readDefinition(
  session: Session,
  cache: ImmutableRows,
  hash: string,
): Promise<EnvironmentDefinition> {
  const kept = cache.definitions.get(hash);
  if (kept) return kept;
  const [row] = await session.rows(READ_DEFINITION, [hash]);
  if (!row) throw new AppError('internal', { details: { message: `definition ${hash} is not stored` } });
  // Written by us from a checked definition.
  return keep(cache.definitions, hash, row['definition'] as EnvironmentDefinition);
}

/** Rows as PostgreSQL prints them in JSON: what our own statements wrote, so their shapes are known. */
interface RawSnapshot {
  readonly now: number;
  readonly settings: Partial<Settings>;
  readonly promotion: RawPromotion;
  readonly steps: readonly RawStep[];
  readonly gate_runs: readonly RawGateRun[];
  readonly attempts: readonly RawAttempt[];
  readonly approvals: readonly RawApproval[];
  readonly skips: readonly RawSkip[];
  readonly debts: readonly RawDebt[];
  readonly locks: readonly RawLock[];
  readonly environment: RawEnvironment | null;
  readonly predecessors: readonly RawPredecessor[];
}

/** The domain's fields by their column names, instants as text. */
type Raw<Fields, Instants extends string> = Fields & Readonly<Record<Instants, string | null>>;

export type RawPromotion = Raw<
  {
    readonly id: Promotion['id'];
    readonly release_id: Promotion['releaseId'];
    readonly environment: string;
    readonly kind: Promotion['kind'];
    readonly is_forced: boolean;
    readonly priority: Promotion['priority'];
    readonly requested_by: Promotion['requestedBy'];
    readonly retry_of: Promotion['retryOf'];
    readonly definition_hash: Promotion['definitionHash'];
    readonly status: Promotion['status'];
    readonly step: Promotion['step'];
    readonly base_release_id: Promotion['baseReleaseId'];
    readonly base_state: Promotion['baseState'];
    readonly ticket: number | null;
    readonly preflight_revision: number | null;
    readonly quota_wait: Promotion['quotaWait'];
    readonly created_at: string;
    readonly last_progress_at: string;
    readonly in_progress_since_at: string;
    readonly cancel_requested_by: Promotion['cancelRequestedBy'];
    readonly ending_code: NonNullable<Promotion['ending']>['code'] | null;
    readonly ending_message: string | null;
    readonly version: number;
    readonly claim_epoch: number;
    readonly worker_id: Promotion['workerId'];
    readonly set_aside_message: string | null;
    readonly chain_head: Promotion['chainHead'];
    readonly chain_length: number;
  },
  'deploy_deadline_at' | 'cancel_requested_at' | 'retry_requested_at' | 'ended_at' | 'next_action_at' | 'set_aside_at'
>;

export type RawStep = Raw<Pick<StepRun, 'step' | 'state' | 'message'>, 'started_at' | 'ended_at'>;

export type RawGateRun = Raw<
  {
    readonly id: GateRun['id'];
    readonly gate: string;
    readonly kind: GateRun['kind'];
    readonly meaning_hash: GateRun['meaningHash'];
    readonly round: number;
    readonly state: GateRun['state'];
    readonly attempt_count: number;
    readonly attempt_limit: number;
    readonly verdict: GateRun['verdict'];
    readonly message: string;
  },
  'next_attempt_at' | 'deadline_at' | 'held_until_at' | 'verdict_at' | 'valid_until_at' | 'due_at' | 'started_at'
>;

export interface RawAttempt {
  readonly operation_id: string;
  readonly purpose: Attempt['purpose'];
  readonly subject: string;
  readonly gate_run_id: Attempt['gateRunId'];
  readonly number: number;
  readonly fence_epoch: number | null;
  readonly fence_n: number | null;
  readonly started_at: string;
  readonly deadline_at: string;
  readonly acknowledged_at: string | null;
  readonly worker_id: Attempt['workerId'];
  readonly outcome: NonNullable<Attempt['result']>['outcome'] | null;
  readonly code: string;
  readonly message: string;
  readonly digest: NonNullable<Attempt['result']>['digest'];
  readonly sealed: NonNullable<Attempt['result']>['sealed'];
  readonly ended_at: string;
}

export interface RawApproval {
  readonly id: Approval['id'];
  readonly gate_run_id: Approval['gateRunId'];
  readonly gate: string;
  readonly person_id: Approval['personId'];
  readonly subject: string;
  readonly decision: Approval['decision'];
  readonly reason: string;
  readonly base_release_id: Approval['baseReleaseId'];
  readonly definition_hash: Approval['definitionHash'];
  readonly decided_at: string;
  readonly bindings: readonly RoleBinding[];
}

export interface RawLock {
  readonly id: Lock['id'];
  readonly resource: string;
  readonly mode: Lock['mode'];
  readonly promotion_id: Lock['promotionId'];
  readonly fence_epoch: number;
  readonly fence_n: number;
  readonly acquired_at: string;
}

export interface RawEnvironment {
  readonly name: string;
  readonly release_id: EnvironmentStatus['releaseId'];
  readonly release_number: number;
  readonly released_at: string | null;
  readonly state: EnvironmentStatus['state'];
  readonly policy_revision: number;
  readonly stopped_at: string | null;
  readonly stop: unknown;
  readonly operator_freeze: EnvironmentStatus['freeze'];
  readonly planned_freezes: EnvironmentStatus['plannedFreezes'];
  readonly quotas: EnvironmentStatus['quotas'];
  readonly quota_requests: EnvironmentStatus['quotaRequests'];
  readonly concurrency: EnvironmentStatus['concurrency'];
  readonly components: EnvironmentStatus['components'];
}

function toMs(text: string): number {
  return Date.parse(text);
}

function toMsOrNull(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}

export function toPromotion(row: RawPromotion, definition: EnvironmentDefinition): Promotion {
  return {
    id: row.id,
    releaseId: row.release_id,
    environment: row.environment,
    kind: row.kind,
    isForced: row.is_forced,
    priority: row.priority,
    requestedBy: row.requested_by,
    retryOf: row.retry_of,
    definition,
    definitionHash: row.definition_hash,
    status: row.status,
    step: row.step,
    baseReleaseId: row.base_release_id,
    baseState: row.base_state,
    ticket: row.ticket,
    preflightRevision: row.preflight_revision,
    quotaWait: row.quota_wait,
    createdAtMs: toMs(row.created_at),
    lastProgressAtMs: toMs(row.last_progress_at),
    inProgressSinceMs: toMs(row.in_progress_since_at),
    deployDeadlineAtMs: toMsOrNull(row.deploy_deadline_at),
    cancelRequestedAtMs: toMsOrNull(row.cancel_requested_at),
    cancelRequestedBy: row.cancel_requested_by,
    retryRequestedAtMs: toMsOrNull(row.retry_requested_at),
    endedAtMs: toMsOrNull(row.ended_at),
    ending: row.ending_code === null ? null : { code: row.ending_code, message: row.ending_message ?? '' },
    version: row.version,
    claimEpoch: row.claim_epoch,
    workerId: row.worker_id,
    nextActionAtMs: toMsOrNull(row.next_action_at),
    setAside: row.set_aside_at === null ? null : { atMs: toMs(row.set_aside_at), message: row.set_aside_message ?? '' },
    chainHead: row.chain_head,
    chainLength: row.chain_length,
  };
}

export function toStepRun({ step, state, message, started_at, ended_at }: RawStep): StepRun {
  return { step, state, message, startedAtMs: toMsOrNull(started_at), endedAtMs: toMsOrNull(ended_at) };
}

export function toGateRun(row: RawGateRun): GateRun {
  return {
    id: row.id,
    gate: row.gate,
    kind: row.kind,
    meaningHash: row.meaning_hash,
    round: row.round,
    state: row.state,
    attemptCount: row.attempt_count,
    attemptLimit: row.attempt_limit,
    nextAttemptAtMs: toMsOrNull(row.next_attempt_at),
    deadlineAtMs: toMsOrNull(row.deadline_at),
    heldUntilMs: toMsOrNull(row.held_until_at),
    verdict: row.verdict,
    verdictAtMs: toMsOrNull(row.verdict_at),
    validUntilMs: toMsOrNull(row.valid_until_at),
    dueAtMs: toMsOrNull(row.due_at),
    startedAtMs: toMsOrNull(row.started_at),
    message: row.message,
  };
}

export function toAttempt(row: RawAttempt): Attempt {
  return {
    operationId: row.operation_id,
    purpose: row.purpose,
    subject: row.subject,
    gateRunId: row.gate_run_id,
    number: row.number,
    fence: row.fence_epoch === null || row.fence_n === null ? null : { epoch: row.fence_epoch, n: row.fence_n },
    startedAtMs: toMs(row.started_at),
    deadlineAtMs: toMs(row.deadline_at),
    acknowledgedAtMs: toMsOrNull(row.acknowledged_at),
    workerId: row.worker_id,
    result:
      row.outcome === null
        ? null
        : {
            outcome: row.outcome,
            code: row.code,
            message: row.message,
            // Captured output is never decided by; trace reads it apart.
            output: '',
            digest: row.digest,
            sealed: row.sealed,
            endedAtMs: toMs(row.ended_at),
          },
  };
}

export function toApproval(row: RawApproval): Approval {
  return {
    id: row.id,
    gateRunId: row.gate_run_id,
    gate: row.gate,
    personId: row.person_id,
    subject: row.subject,
    decision: row.decision,
    reason: row.reason,
    baseReleaseId: row.base_release_id,
    definitionHash: row.definition_hash,
    atMs: toMs(row.decided_at),
    bindingsNow: row.bindings,
  };
}

export function toLock(row: RawLock): Lock {
  return {
    id: row.id,
    resource: row.resource,
    mode: row.mode,
    promotionId: row.promotion_id,
    fence: { epoch: row.fence_epoch, n: row.fence_n },
    acquiredAtMs: toMs(row.acquired_at),
  };
}

export function toEnvironmentStatus(row: RawEnvironment): EnvironmentStatus {
  return {
    name: row.name,
    releaseId: row.release_id,
    releaseNumber: row.release_number,
    releasedAtMs: toMsOrNull(row.released_at),
    state: row.state,
    policyRevision: row.policy_revision,
    stop: toStop(toMsOrNull(row.stopped_at), row.stop),
    freeze: row.operator_freeze,
    plannedFreezes: row.planned_freezes,
    quotas: row.quotas,
    quotaRequests: row.quota_requests,
    concurrency: row.concurrency,
    components: row.components,
  };
}

type RawPredecessor = RawEnvironment & {
  readonly completed_at: string | null;
  readonly artifacts_since: number | null;
  readonly breaks: readonly RawBreak[];
};

function toPredecessor(row: RawPredecessor): PredecessorStatus {
  return {
    ...toEnvironmentStatus(row),
    completedAtMs: toMsOrNull(row.completed_at),
    artifactsSinceMs: row.artifacts_since,
    breaks: row.breaks.map(toObservedBreak),
  };
}
