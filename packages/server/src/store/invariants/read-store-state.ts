/**
 * The whole store as the rules of the domain want it, in one statement and so from one moment. For tests and small
 * databases: everything is read into memory.
 */
import type {
  Digest,
  EnvironmentDefinition,
  PromotionRecord,
  Release,
  StoredApproval,
  StoredAttempt,
  StoredEvent,
  StoredOutcome,
  StoredSkip,
  StoredWorker,
  StoreState,
} from '@stella/domain';
import type { Session, Statement } from '../connection.ts';
import { type RawBreak, toObservedBreak } from '../observation-rows.ts';
import {
  type RawApproval,
  type RawAttempt,
  type RawEnvironment,
  type RawGateRun,
  type RawLock,
  type RawPromotion,
  type RawStep,
  toApproval,
  toAttempt,
  toEnvironmentStatus,
  toGateRun,
  toLock,
  toPromotion,
  toStepRun,
} from '../snapshot.ts';

const READ: Statement = {
  name: 'store_state_read',
  text: `select json_build_object('epoch', i.epoch, 'lastFenceNumber', case when f.is_called then f.last_value else 0 end)
      as installation,
    (select json_build_object('seq', seq, 'hash', chain_hash) from chain_head) as chain,
    (select coalesce(json_agg(p order by p.id), '[]') from promotions p) as promotions,
    (select coalesce(json_agg(d), '[]') from (select distinct on (hash) hash, definition from environment_definitions) d)
      as definitions,
    (select coalesce(json_agg(s), '[]') from promotion_steps s) as steps,
    (select coalesce(json_agg(g order by g.round), '[]') from gate_runs g) as gate_runs,
    (select coalesce(json_agg(t order by t.started_at, t.number), '[]') from (
      select a.*, k.acknowledged_at, (select o.worker_id from attempt_outcomes o
        where o.operation_id = a.operation_id and not o.is_late order by o.id limit 1) as worker_id
      from attempts a left join gate_acknowledgements k using (operation_id)) t) as attempts,
    (select coalesce(json_agg(o order by o.id), '[]') from attempt_outcomes o) as outcomes,
    (select coalesce(json_agg(t order by t.decided_at), '[]') from (
      select v.*, n.subject, json_build_array() as bindings from approvals v join persons n on n.id = v.person_id) t)
      as approvals,
    (select coalesce(json_agg(k), '[]') from skips k) as skips,
    (select coalesce(json_agg(l), '[]') from locks l) as locks,
    (select coalesce(json_agg(e), '[]') from environments e) as environments,
    (select coalesce(json_agg(o), '[]') from target_observations o where o.broken_since_at is not null) as breaks,
    (select coalesce(json_agg(t), '[]') from (select r.*, (
      select coalesce(json_agg(c order by c.name), '[]') from release_components c where c.release_id = r.id) as components
      from releases r) t) as releases,
    (select coalesce(json_agg(w), '[]') from workers w) as workers,
    (select coalesce(json_agg(e order by e.promotion_seq, e.id), '[]') from events e) as events,
    (select coalesce(json_agg(k), '[]') from idempotency_keys k) as keys
    from installation i, fence_numbers f`,
};

/** Rows as PostgreSQL prints them in JSON: what our own statements wrote, so their shapes are known. */
interface RawStore {
  readonly installation: StoreState['installation'];
  readonly chain: StoreState['chain'];
  readonly promotions: readonly RawPromotion[];
  readonly definitions: readonly { readonly hash: string; readonly definition: EnvironmentDefinition }[];
  readonly steps: readonly (RawStep & OfPromotion)[];
  readonly gate_runs: readonly (RawGateRun & OfPromotion)[];
  readonly attempts: readonly (RawAttempt & OfPromotion)[];
  readonly outcomes: readonly RawOutcome[];
  readonly approvals: readonly (RawApproval & OfPromotion)[];
  readonly skips: readonly RawSkipRow[];
  readonly locks: readonly (RawLock & { readonly released_at: string | null })[];
  readonly environments: readonly RawEnvironment[];
  readonly breaks: readonly RawBreak[];
  readonly releases: readonly RawRelease[];
  readonly workers: readonly RawWorker[];
  readonly events: readonly RawEvent[];
  readonly keys: readonly { actor_id: string; route: string; key: string; status: number | null }[];
}

interface OfPromotion {
  readonly promotion_id: string;
}

interface RawOutcome extends Omit<StoredOutcome, 'isLate' | 'endedAtMs'> {
  readonly operation_id: string;
  readonly is_late: boolean;
  readonly ended_at: string;
}

interface RawSkipRow extends OfPromotion {
  readonly id: StoredSkip['id'];
  readonly gate_run_id: StoredSkip['gateRunId'];
  readonly state: StoredSkip['state'];
  readonly requested_by: StoredSkip['requestedBy'];
  readonly decided_by: StoredSkip['decidedBy'];
  readonly decided_at: string | null;
  readonly expires_at: string | null;
  readonly base_release_id: StoredSkip['baseReleaseId'];
  readonly definition_hash: StoredSkip['definitionHash'];
}

interface RawRelease extends Omit<Release, 'createdAtMs' | 'components'> {
  readonly created_at: string;
  readonly components: readonly (Omit<Release['components'][number], 'mediaType'> & { readonly media_type: string })[];
}

interface RawWorker extends Pick<StoredWorker, 'id' | 'state'> {
  readonly heartbeat_at: string;
  readonly lease_until_at: string;
}

interface RawEvent extends Omit<StoredEvent, 'atMs' | 'promotionId' | 'promotionSeq' | 'chainHash'> {
  readonly at: string;
  readonly promotion_id: StoredEvent['promotionId'];
  readonly promotion_seq: number | null;
  readonly chain_hash: Digest | null;
}

export async function readStoreState(session: Session): Promise<StoreState> {
  const [row] = await session.rows(READ);
  // The one row of our own statement.
  const raw = row as unknown as RawStore;
  return {
    installation: raw.installation,
    chain: raw.chain,
    promotions: toRecords(raw),
    locks: raw.locks.map((lock) => ({ ...toLock(lock), releasedAtMs: toMsOrNull(lock.released_at) })),
    environments: raw.environments.map(toEnvironmentStatus),
    breaks: raw.breaks.map(toObservedBreak),
    releases: raw.releases.map(({ id, name, number, created_at, components }) => ({
      id,
      name,
      number,
      createdAtMs: Date.parse(created_at),
      components: components.map((one) => ({
        name: one.name,
        source: one.source,
        digest: one.digest,
        mediaType: one.media_type,
        tag: one.tag,
      })),
    })),
    workers: raw.workers.map((one) => ({
      id: one.id,
      state: one.state,
      heartbeatAtMs: Date.parse(one.heartbeat_at),
      leaseUntilMs: Date.parse(one.lease_until_at),
    })),
    events: raw.events.filter((event) => event.promotion_id === null).map(toEvent),
    idempotencyKeys: raw.keys.map((one) => ({ name: `${one.actor_id} ${one.route} ${one.key}`, status: one.status })),
  };
}

function toRecords(raw: RawStore): PromotionRecord[] {
  const definitions = new Map(raw.definitions.map(({ hash, definition }) => [hash, definition]));
  const outcomes = groupBy(raw.outcomes, (one) => one.operation_id);
  const own = (one: OfPromotion): string => one.promotion_id;
  const steps = groupBy(raw.steps, own);
  const gateRuns = groupBy(raw.gate_runs, own);
  const attempts = groupBy(raw.attempts, own);
  const approvals = groupBy(raw.approvals, own);
  const skips = groupBy(raw.skips, own);
  const events = groupBy(raw.events, (one) => one.promotion_id ?? '');
  return raw.promotions.map((row) => {
    const definition = definitions.get(row.definition_hash);
    if (!definition) throw new Error(`definition ${row.definition_hash} is not stored`);
    return {
      promotion: toPromotion(row, definition),
      steps: (steps.get(row.id) ?? []).map(toStepRun),
      gateRuns: (gateRuns.get(row.id) ?? []).map(toGateRun),
      attempts: (attempts.get(row.id) ?? []).map((one) => toStoredAttempt(one, outcomes)),
      approvals: (approvals.get(row.id) ?? []).map(toStoredApproval),
      skips: (skips.get(row.id) ?? []).map(toStoredSkip),
      events: (events.get(row.id) ?? []).map(toEvent),
    };
  });
}

function groupBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}

function toStoredAttempt(row: RawAttempt, outcomes: ReadonlyMap<string, readonly RawOutcome[]>): StoredAttempt {
  const { result: _open, ...intent } = toAttempt({ ...row, outcome: null });
  const own = outcomes.get(row.operation_id) ?? [];
  return {
    ...intent,
    outcomes: own.map((one) => ({
      outcome: one.outcome,
      code: one.code,
      message: one.message,
      digest: one.digest,
      sealed: one.sealed,
      isLate: one.is_late,
      endedAtMs: Date.parse(one.ended_at),
    })),
  };
}

function toStoredApproval(row: RawApproval): StoredApproval {
  const { bindingsNow: _nobodysRow, ...approval } = toApproval(row);
  return approval;
}

function toStoredSkip(row: RawSkipRow): StoredSkip {
  return {
    id: row.id,
    gateRunId: row.gate_run_id,
    state: row.state,
    requestedBy: row.requested_by,
    decidedBy: row.decided_by,
    decidedAtMs: toMsOrNull(row.decided_at),
    expiresAtMs: toMsOrNull(row.expires_at),
    baseReleaseId: row.base_release_id,
    definitionHash: row.definition_hash,
  };
}

function toEvent(row: RawEvent): StoredEvent {
  return {
    type: row.type,
    actor: row.actor,
    subject: row.subject,
    data: row.data,
    hash: row.hash,
    seq: row.seq,
    atMs: Date.parse(row.at),
    promotionId: row.promotion_id,
    promotionSeq: row.promotion_seq,
    chainHash: row.chain_hash,
  };
}

function toMsOrNull(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}
