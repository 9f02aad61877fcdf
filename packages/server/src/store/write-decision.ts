/**
 * The one writer of promotions (safety S6): whatever `decide` or a command decided goes down here, with its events, by
 * one statement in the caller's transaction. The row of the promotion is locked by the caller.
 */
import { AppError, type Approval, type Decision, type Promotion, toRfc3339 } from '@stella/domain';
import { combine, type Part } from './combined-statement.ts';
import { pipelined, type Session, sqlState, type Statement } from './connection.ts';
import { toStopColumn } from './environment-stop-column.ts';
import { INSERT_EVENTS, toEventRows } from './event-rows.ts';
import { oweSkipped } from './owed-wakes.ts';

const COLUMNS = [
  'release_id',
  'environment',
  'kind',
  'is_forced',
  'priority',
  'requested_by',
  'retry_of',
  'definition_hash',
  'status',
  'step',
  'base_release_id',
  'base_state',
  'ticket',
  'preflight_revision',
  'quota_wait',
  'created_at',
  'last_progress_at',
  'in_progress_since_at',
  'deploy_deadline_at',
  'cancel_requested_at',
  'cancel_requested_by',
  'retry_requested_at',
  'ended_at',
  'ending_code',
  'ending_message',
  'version',
  'claim_epoch',
  'worker_id',
  'next_action_at',
  'chain_head',
  'chain_length',
] as const;

const INSERT: Statement = {
  name: 'promotion_insert',
  text: `insert into promotions (id, ${COLUMNS.join(', ')})
    values ($1, ${COLUMNS.map((_, index) => `$${index + 2}`).join(', ')})`,
};

/** What never changes after the insert is not written again. */
const CHANGING = [
  'priority' as const,
  ...COLUMNS.slice(COLUMNS.indexOf('status')).filter((column) => column !== 'created_at'),
];
const UPDATE: Statement = {
  name: 'promotion_update',
  text: `update promotions set ${CHANGING.map((column, index) => `${column} = $${index + 3}`).join(', ')}
    where id = $1 and version = $2 returning id`,
};

/** By a worker's tick: it moved, whatever there was before. */
const UPDATE_BY_WORKER: Statement = {
  name: 'promotion_tick',
  text: UPDATE.text.replace(' set ', ' set claim_failures = 0, set_aside_at = null, set_aside_message = null, '),
};

const WRITE_STEPS: Statement = {
  name: 'steps_write',
  text: `insert into promotion_steps (promotion_id, step, state, started_at, ended_at, message)
    select $1, s.* from json_to_recordset($2) as s (step text, state text, started_at timestamptz,
      ended_at timestamptz, message text)
    on conflict (promotion_id, step) do update set state = excluded.state, started_at = excluded.started_at,
      ended_at = excluded.ended_at, message = excluded.message`,
};

const WRITE_GATE_RUNS: Statement = {
  name: 'gate_runs_write',
  text: `insert into gate_runs (id, promotion_id, gate, kind, meaning_hash, round, state, attempt_count, attempt_limit,
      next_attempt_at, deadline_at, held_until_at, verdict, verdict_at, valid_until_at, due_at, started_at, message)
    select g.id, $1, g.gate, g.kind, g.meaning_hash, g.round, g.state, g.attempt_count, g.attempt_limit,
      g.next_attempt_at, g.deadline_at, g.held_until_at, g.verdict, g.verdict_at, g.valid_until_at, g.due_at,
      g.started_at, g.message
    from json_populate_recordset(null::gate_runs, $2) g
    on conflict (id) do update set state = excluded.state, attempt_count = excluded.attempt_count,
      attempt_limit = excluded.attempt_limit, next_attempt_at = excluded.next_attempt_at,
      held_until_at = excluded.held_until_at, verdict = excluded.verdict, verdict_at = excluded.verdict_at,
      valid_until_at = excluded.valid_until_at, due_at = excluded.due_at, message = excluded.message`,
};

const INSERT_ATTEMPTS: Statement = {
  name: 'attempts_insert',
  text: `insert into attempts (operation_id, promotion_id, purpose, subject, gate_run_id, number, fence_epoch, fence_n,
      started_at, deadline_at)
    select a.operation_id, $1, a.purpose, a.subject, a.gate_run_id, a.number, a.fence_epoch, a.fence_n, a.started_at,
      a.deadline_at
    from json_populate_recordset(null::attempts, $2) a`,
};

const INSERT_SETTLED: Statement = {
  name: 'outcomes_settle',
  text: `insert into attempt_outcomes (operation_id, is_late, outcome, code, message, digest, sealed, ended_at)
    select s.operation_id, false, s.outcome, s.code, s.message, s.digest, s.sealed, s.ended_at
    from json_populate_recordset(null::attempt_outcomes, $1) s`,
};

export const INSERT_APPROVALS: Statement = {
  name: 'approvals_insert',
  text: `insert into approvals (id, promotion_id, gate_run_id, gate, person_id, decision, reason, base_release_id,
      definition_hash, decided_at)
    select v.id, $1, v.gate_run_id, v.gate, v.person_id, v.decision, v.reason, v.base_release_id, v.definition_hash,
      v.decided_at
    from json_populate_recordset(null::approvals, $2) v`,
};

const WRITE_SKIPS: Statement = {
  name: 'skips_write',
  text: `insert into skips (id, promotion_id, gate_run_id, gate, requested_by, reason, requested_at, base_release_id,
      definition_hash, state, decided_by, decision_reason, decided_at, expires_at, ended_at, message)
    select k.id, $1, k.gate_run_id, k.gate, k.requested_by, k.reason, k.requested_at, k.base_release_id,
      k.definition_hash, k.state, k.decided_by, k.decision_reason, k.decided_at, k.expires_at, k.ended_at, k.message
    from json_populate_recordset(null::skips, $2) k
    on conflict (id) do update set state = excluded.state, decided_by = excluded.decided_by,
      decision_reason = excluded.decision_reason, decided_at = excluded.decided_at, expires_at = excluded.expires_at,
      ended_at = excluded.ended_at, message = excluded.message`,
};

/** Those of other promotions too, so each names its own. */
const WRITE_DEBTS: Statement = {
  name: 'debts_write',
  text: `insert into gate_debts (id, promotion_id, environment, release_id, gate, kind, gate_run_id, skip_id,
      definition_hash, state, opened_at, closed_at, due_at, ask_count, last_asked_at, last_outcome, message)
    select d.id, d.promotion_id, d.environment, d.release_id, d.gate, d.kind, d.gate_run_id, d.skip_id,
      d.definition_hash, d.state, d.opened_at, d.closed_at, d.due_at, d.ask_count, d.last_asked_at, d.last_outcome,
      d.message
    from json_populate_recordset(null::gate_debts, $1) d
    on conflict (id) do update set state = excluded.state, closed_at = excluded.closed_at, due_at = excluded.due_at,
      ask_count = excluded.ask_count, last_asked_at = excluded.last_asked_at, last_outcome = excluded.last_outcome,
      message = excluded.message`,
};

const INSERT_LOCKS: Statement = {
  name: 'locks_insert',
  text: `insert into locks (id, resource, mode, promotion_id, fence_epoch, fence_n, acquired_at)
    select l.id, l.resource, l.mode, $1, l.fence_epoch, l.fence_n, l.acquired_at
    from json_populate_recordset(null::locks, $2) l`,
};

const RELEASE_LOCKS: Statement = {
  name: 'locks_release',
  text: 'update locks set released_at = $2 where id = any ($1) and released_at is null',
};

const FENCE_LOCKS: Statement = {
  name: 'locks_fence',
  text: `update locks set fence_epoch = $2, fence_n = $3
    where promotion_id = $1 and released_at is null and id <> all ($4)`,
};

const UPDATE_ENVIRONMENT: Statement = {
  name: 'environment_update',
  text: `update environments set release_id = $2, release_number = $3, released_at = $4, state = $5,
    stopped_at = $6, stop = $7, components = $8 where name = $1`,
};

/** Whoever waits in the environment, or at a dependency anywhere, looks again now. Rows that are held at this moment are left to `owed-wakes.ts`. */
const WAKE_ENVIRONMENT: Statement = {
  name: 'environment_wake',
  text: `update promotions set next_action_at = $3, version = version + 1
    where id in (select id from promotions where (environment = $1 or id = any (array(
        select promotion_id from gate_runs where kind = 'dependency' and state = 'waiting')))
      and id <> $2 and ended_at is null
      and next_action_at > $3 and worker_id is null and step in ('evaluate_gates', 'acquire_locks')
      for update skip locked)`,
};

/** `queue: latest`: who may have to make way for the writer looks again now; those at work are asked by their worker. */
const WAKE_OLDER: Statement = {
  name: 'environment_wake_older',
  text: `update promotions set next_action_at = $3, version = version + 1
    where id in (select id from promotions where environment = $1 and id <> $2 and ended_at is null
      and next_action_at > $3 and set_aside_at is null
      and step in ('precheck', 'evaluate_gates', 'acquire_locks', 'preflight') for update skip locked)`,
};

/** A new promotion with its first attempts. Errors: `promotion.live_exists`. */
export async function insertDecision(session: Session, decision: Decision): Promise<void> {
  const { promotion } = decision;
  const insert = { statement: INSERT, values: [promotion.id, ...valuesOf(promotion, COLUMNS)] };
  await session.rows(...combine(insert, partsOf(decision)));
}

/** True for the unique index that allows one live promotion per release and environment. */
export function isLiveExists(error: unknown): boolean {
  return sqlState(error) === '23505' && (error as { constraint?: string }).constraint === 'promotions_live';
}

/**
 * Changes of a promotion that the caller has locked at the version before; a person's command, or a worker's tick. Adds to
 * `owed` whom it could not wake, for their rows are held.
 */
export async function writeDecision(
  session: Session,
  decision: Decision,
  by: 'person' | 'worker',
  owed: string[],
): Promise<void> {
  const { promotion } = decision;
  const statement = by === 'worker' ? UPDATE_BY_WORKER : UPDATE;
  const update = { statement, values: [promotion.id, promotion.version - 1, ...valuesOf(promotion, CHANGING)] };
  const writing = pipelined(session.count(...combine(update, partsOf(decision))));
  const { environment, id } = promotion;
  const waker = { environment, promotionId: id, atMs: wroteAtMs(decision), wakesClaimed: false };
  const finding = decision.wakesEnvironment ? pipelined(oweSkipped(session, waker)) : Promise.resolve([]);
  if ((await writing) !== 1) throw new AppError('promotion.version', { details: { promotionId: id } });
  owed.push(...(await finding));
}

function wroteAtMs({ events, promotion }: Decision): number {
  return events[0]?.atMs ?? promotion.lastProgressAtMs;
}

/** What a decision changes beside the promotion's own row. No two parts touch the same row. */
function partsOf(decision: Decision): readonly Part[] {
  const { promotion } = decision;
  const { id } = promotion;
  const at = toRfc3339(wroteAtMs(decision));
  const parts: Part[] = [];
  const addRows = (statement: Statement, rows: readonly object[]): void => {
    if (rows.length > 0) parts.push({ statement, values: [id, JSON.stringify(rows)] });
  };
  addRows(WRITE_STEPS, decision.steps.map(toRow));
  addRows(WRITE_GATE_RUNS, decision.gateRuns.map(toRow));
  addRows(INSERT_ATTEMPTS, decision.newAttempts.map(toAttemptRow));
  if (decision.settledAttempts.length > 0) {
    const rows = decision.settledAttempts.map(({ operationId, result }) => ({ operationId, ...result })).map(toRow);
    parts.push({ statement: INSERT_SETTLED, values: [JSON.stringify(rows)] });
  }
  addRows(INSERT_APPROVALS, decision.newApprovals.map(toApprovalRow));
  addRows(WRITE_SKIPS, decision.skips.map(toRow));
  if (decision.debts.length > 0) {
    parts.push({ statement: WRITE_DEBTS, values: [JSON.stringify(decision.debts.map(toRow))] });
  }
  const { lockFence, releasedLocks } = decision;
  // A lock that is released now keeps the fence under which it was held.
  if (lockFence) parts.push({ statement: FENCE_LOCKS, values: [id, lockFence.epoch, lockFence.n, releasedLocks] });
  addRows(INSERT_LOCKS, decision.takenLocks.map(toFencedRow));
  if (releasedLocks.length > 0) parts.push({ statement: RELEASE_LOCKS, values: [releasedLocks, at] });
  if (decision.environment) {
    const { name, releaseId, releaseNumber, releasedAtMs, state, stop, components } = decision.environment;
    const stopped = [toInstant(stop?.atMs), stop === null ? null : toStopColumn(stop)];
    const values = [
      name,
      releaseId,
      releaseNumber,
      toInstant(releasedAtMs),
      state,
      ...stopped,
      JSON.stringify(components),
    ];
    parts.push({ statement: UPDATE_ENVIRONMENT, values });
  }
  if (decision.wakesEnvironment || decision.wakesOlder) {
    const statement = decision.wakesOlder ? WAKE_OLDER : WAKE_ENVIRONMENT;
    parts.push({ statement, values: [promotion.environment, id, at] });
  }
  if (decision.events.length > 0) parts.push({ statement: INSERT_EVENTS, values: [toEventRows(decision.events)] });
  return parts;
}

/** Values of the named columns, in their order. */
function valuesOf(promotion: Promotion, columns: readonly string[]): unknown[] {
  const { definition: _frozenByHash, inProgressSinceMs, ending, ...rest } = promotion;
  const row: Record<string, unknown> = {
    ...toRow(rest),
    requested_by: JSON.stringify(promotion.requestedBy),
    cancel_requested_by: promotion.cancelRequestedBy === null ? null : JSON.stringify(promotion.cancelRequestedBy),
    in_progress_since_at: toInstant(inProgressSinceMs),
    ending_code: ending?.code ?? null,
    ending_message: ending?.message ?? null,
  };
  return columns.map((column) => row[column] ?? null);
}

/** `{ nextAttemptAtMs: 0, gateRunId: 'gtr_…' }` → `{ next_attempt_at: '1970-…', gate_run_id: 'gtr_…' }`. */
function toRow(value: object): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key.endsWith('AtMs') || key.endsWith('UntilMs')) {
      const name = snakeCase(key.slice(0, -2));
      row[name.endsWith('_until') ? `${name}_at` : name] = toInstant(field);
    } else {
      row[snakeCase(key)] = field;
    }
  }
  return row;
}

export function toApprovalRow({ atMs, ...rest }: Approval): Record<string, unknown> {
  return toRow({ ...rest, decidedAtMs: atMs });
}

function toAttemptRow(attempt: Decision['newAttempts'][number]): Record<string, unknown> {
  const { result: _open, ...intent } = attempt;
  return toFencedRow(intent);
}

function toFencedRow({ fence, ...rest }: { fence: Decision['lockFence'] }): Record<string, unknown> {
  return { ...toRow(rest), fence_epoch: fence?.epoch ?? null, fence_n: fence?.n ?? null };
}

const SNAKE_BY_CAMEL = new Map<string, string>();

function snakeCase(camel: string): string {
  const known = SNAKE_BY_CAMEL.get(camel);
  if (known !== undefined) return known;
  const snake = camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  SNAKE_BY_CAMEL.set(camel, snake);
  return snake;
}

function toInstant(value: unknown): string | null {
  return typeof value === 'number' ? toRfc3339(value) : null;
}
