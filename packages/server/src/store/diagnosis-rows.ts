/**
 * What a diagnosis looks at, in few statements: the promotion, everything around it in one, and then each that it waits
 * for. Every list is bounded, and nothing is changed. Type assertions are on columns that only our own statements write.
 */
import {
  AppError,
  type Approver,
  type Blocker,
  type DatabaseBlock,
  type DatabaseFacts,
  type DiagnosisSnapshot,
  type GateCall,
  type LinkedPromotion,
  type ProbeReport,
  type PromotionId,
  type PromotionSnapshot,
  type Settings,
  type WorkerFacts,
} from '@stella/domain';
import type { DiagnosisReading } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import type { ImmutableRows } from './immutable-rows.ts';
import { IS_STALE } from './lock-rows.ts';
import { withoutLiterals } from './query-text.ts';
import { readTimedSnapshot } from './snapshot.ts';

/** Of those in its way so many are read whole; the others are only counted. */
const LINKS_MAX = 5;
const APPROVERS_MAX = 500;

/** Sessions whose transaction holds the row: an uncommitted change or lock of it leaves its number in `xmax`. */
const BLOCKS = `select json_agg(t) from (
      select r.held as row, l.pid, a.usename as user, a.application_name as application, a.state, left(a.query, 2000) as query,
        extract(epoch from clock_timestamp() - a.xact_start) * 1000 as age_ms,
        (select count(*) from pg_stat_activity o where o.wait_event_type = 'Lock' and l.pid = any (pg_blocking_pids(o.pid))) as waiters
      from (select 'promotion' as held, s.xmax as xid
          union all select 'environment', e.xmax from environments e where e.name = s.environment) r
        join pg_locks l on l.locktype = 'transactionid' and l.granted and l.transactionid = r.xid and l.pid <> pg_backend_pid()
        left join pg_stat_activity a on a.pid = l.pid
      union all
      select distinct 'other', b.pid, a.usename, a.application_name, a.state, left(a.query, 2000),
        extract(epoch from clock_timestamp() - a.xact_start) * 1000, 1
      from pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) b (pid) left join pg_stat_activity a on a.pid = b.pid
      where w.wait_event_type = 'Lock' and w.application_name = 'stella' and w.query_start < clock_timestamp() - interval '2 seconds'
      limit 5) t`;

/** The holders of exclusive locks that it waits for, then those before it in the queue, in their order. */
const BLOCKERS = `select json_agg(t) from (
      (select p.id, p.priority, l.id as lock_id, l.resource, l.acquired_at, ${IS_STALE} as is_stale
       from locks l join promotions p on p.id = l.promotion_id left join workers w on w.id = p.worker_id
       where l.released_at is null and l.mode = 'exclusive' and p.environment = s.environment and p.id <> s.id
       order by l.acquired_at, l.id limit 20)
      union all
      (select o.id, o.priority, null, null, null, false from promotions o
       where o.environment = s.environment and o.ended_at is null and o.ticket is not null and o.step = 'acquire_locks'
         and o.id <> s.id
         and (array_position(array['high', 'normal', 'low'], o.priority), o.ticket)
           < (array_position(array['high', 'normal', 'low'], s.priority), coalesce(s.ticket, 9223372036854775807))
       order by array_position(array['high', 'normal', 'low'], o.priority), o.ticket limit 20)) t
    where s.step = 'acquire_locks' and s.ended_at is null`;

/** The last 10 attempts at each open gate of its kind in this environment; older than 200 of that name are not looked for. */
const GATE_CALLS = `select json_agg(t) from gate_runs g cross join lateral (
      select g.gate, a.started_at, a.deadline_at, o.outcome, o.ended_at
      from (select * from attempts where purpose = 'gate' and subject = g.gate order by started_at desc limit 200) a
        join promotions q on q.id = a.promotion_id and q.environment = s.environment
        join attempt_outcomes o on o.operation_id = a.operation_id and not o.is_late
      order by a.started_at desc limit 10) t
    where g.promotion_id = s.id and g.attempt_count > 0 and g.verdict is null and g.state not in ('skipped', 'expired')`;

/** Only when somebody has to decide: who may, wherever. */
const APPROVERS = `select json_agg(t) from (
      select n.id, n.subject, (select json_agg(json_build_object('role', b.role, 'pattern', b.pattern))
        from role_bindings b where b.owner_id = n.id) as bindings
      from persons n where exists (select from role_bindings b where b.owner_id = n.id and b.role in ('approver', 'admin'))
      order by n.id limit ${APPROVERS_MAX + 1}) t
    where exists (select from gate_runs g where g.promotion_id = s.id and g.kind = 'approval' and g.verdict is null)`;

const AROUND: Statement = {
  name: 'diagnosis_around',
  text: `select date_trunc('milliseconds', clock_timestamp()) as now,
      pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on' as is_read_only,
      (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
      current_setting('max_connections')::int as connections_max,
      (select json_agg(t) from (select w.id, w.hostname, w.version, w.state, w.heartbeat_at, w.lease_until_at from workers w
         where w.state = 'live' or w.heartbeat_at > now() - interval '1 hour' or w.id = s.worker_id
         order by w.id limit 100) t) as workers,
      (select json_agg(t) from (select b.environment, b.kind, b.name, b.probed_at, b.is_ok, b.stages from probes b
         where b.environment = s.environment order by b.kind, b.name limit 200) t) as probes,
      (${BLOCKERS}) as blockers, (${GATE_CALLS}) as gate_calls, (${APPROVERS}) as approvers, (${BLOCKS}) as blocks
    from promotions s where s.id = $1`,
};

/** Throws `promotion.not_found`. */
export async function readDiagnosisRows(
  session: Session,
  cache: ImmutableRows,
  settings: Settings,
  id: PromotionId,
): Promise<DiagnosisReading> {
  const read = (one: PromotionId): Promise<PromotionSnapshot> => readWhole(session, cache, settings, one);
  const [snapshot, [row]] = await Promise.all([read(id), session.rows(AROUND, [id])]);
  // The columns that the statement above names.
  const raw = row as unknown as RawAround;
  const blockedBy = toBlockers(raw.blockers ?? [], snapshot);
  return {
    nowMs: raw.now,
    subject: { snapshot, blockedBy },
    others: await readOthers(blockedBy, read),
    workers: (raw.workers ?? []).map(toWorker),
    database: toDatabase(raw),
    probes: (raw.probes ?? []).map(toProbe),
    gateCalls: (raw.gate_calls ?? []).map(toGateCall),
    approvers: toApprovers(raw.approvers),
  };
}

async function readWhole(
  session: Session,
  cache: ImmutableRows,
  settings: Settings,
  id: PromotionId,
): Promise<PromotionSnapshot> {
  const found = await readTimedSnapshot(session, cache, settings, id);
  if (!found) throw new AppError('promotion.not_found', { details: { name: id } });
  return found.snapshot;
}

/** Those in its way, and who is in theirs: of the holders nobody, of the others all that stand before them. */
async function readOthers(
  blockedBy: readonly Blocker[],
  read: (id: PromotionId) => Promise<PromotionSnapshot>,
): Promise<LinkedPromotion[]> {
  const ids = [...new Set(blockedBy.map((one) => one.promotionId))].slice(0, LINKS_MAX);
  const snapshots = await Promise.all(ids.map(read));
  return snapshots.map((snapshot) => {
    const place = blockedBy.findIndex((one) => one.promotionId === snapshot.promotion.id);
    return { snapshot, blockedBy: blockedBy[place]?.lock === null ? blockedBy.slice(0, place) : [] };
  });
}

interface RawAround {
  readonly now: number;
  readonly is_read_only: boolean;
  readonly connections: number;
  readonly connections_max: number;
  readonly workers: readonly RawWorker[] | null;
  readonly probes: readonly RawProbe[] | null;
  readonly blockers: readonly RawBlocker[] | null;
  readonly gate_calls: readonly RawGateCall[] | null;
  readonly approvers: readonly RawApprover[] | null;
  readonly blocks: readonly RawBlock[] | null;
}

type RawWorker = Pick<WorkerFacts, 'id' | 'hostname' | 'version' | 'state'> & {
  readonly heartbeat_at: string;
  readonly lease_until_at: string;
};

interface RawProbe {
  readonly environment: string;
  readonly kind: ProbeReport['subject']['kind'];
  readonly name: string;
  readonly probed_at: string;
  readonly is_ok: boolean;
  readonly stages: ProbeReport['stages'];
}

interface RawBlocker {
  readonly id: PromotionId;
  readonly priority: Blocker['priority'];
  readonly lock_id: NonNullable<Blocker['lock']>['id'] | null;
  readonly resource: string | null;
  readonly acquired_at: string | null;
  readonly is_stale: boolean;
}

interface RawGateCall {
  readonly gate: string;
  readonly started_at: string;
  readonly deadline_at: string;
  readonly outcome: GateCall['outcome'];
  readonly ended_at: string;
}

type RawApprover = Pick<Approver, 'subject' | 'bindings'> & { readonly id: Approver['personId'] };

interface RawBlock {
  readonly row: DatabaseBlock['row'];
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly query: string | null;
  readonly age_ms: number | null;
  readonly waiters: number;
}

/** Of several components at once only those are in the way that share one with it. */
function toBlockers(rows: readonly RawBlocker[], { promotion, release }: PromotionSnapshot): Blocker[] {
  const whole = `environment:${promotion.environment}`;
  const places = new Set([whole, ...release.components.map((component) => `${whole}/${component.name}`)]);
  return rows
    .filter((row) => row.resource === null || places.has(row.resource))
    .map((row) => ({
      promotionId: row.id,
      lock:
        row.lock_id === null || row.resource === null
          ? null
          : { id: row.lock_id, resource: row.resource, acquiredAtMs: Date.parse(row.acquired_at ?? '') },
      isStale: row.is_stale,
      priority: row.priority,
    }));
}

function toWorker({ heartbeat_at, lease_until_at, ...worker }: RawWorker): WorkerFacts {
  return { ...worker, heartbeatAtMs: Date.parse(heartbeat_at), leaseUntilMs: Date.parse(lease_until_at) };
}

function toDatabase(raw: RawAround): Omit<DatabaseFacts, 'readMs' | 'disk'> {
  return {
    isReadOnly: raw.is_read_only,
    connectionCount: raw.connections,
    connectionCountMax: raw.connections_max,
    blocks: (raw.blocks ?? []).map((block) => ({
      row: block.row,
      pid: block.pid,
      ageMs: block.age_ms === null ? null : Math.max(0, Math.round(block.age_ms)),
      query: withoutLiterals(block.query ?? ''),
      user: block.user ?? '',
      application: block.application ?? '',
      state: block.state ?? '',
      waiterCount: block.waiters,
    })),
  };
}

function toProbe({ environment, kind, name, probed_at, is_ok, stages }: RawProbe): ProbeReport {
  return { subject: { kind, environment, name }, atMs: Date.parse(probed_at), isOk: is_ok, stages };
}

function toGateCall({ gate, outcome, ...at }: RawGateCall): GateCall {
  const startedAtMs = Date.parse(at.started_at);
  return {
    gate,
    startedAtMs,
    endedAtMs: Date.parse(at.ended_at),
    timeoutMs: Date.parse(at.deadline_at) - startedAtMs,
    outcome,
  };
}

/** Null: more than anybody would read, so that who may decide is not concluded from a part of them. */
function toApprovers(rows: readonly RawApprover[] | null): DiagnosisSnapshot['approvers'] {
  if (rows === null || rows.length > APPROVERS_MAX) return null;
  return rows.map(({ id, subject, bindings }) => ({ personId: id, subject, bindings }));
}
