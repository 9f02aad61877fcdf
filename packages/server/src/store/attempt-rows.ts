/** Outcomes of attempts: inserted once by operation id, whatever became of the claim meanwhile (safety S3, S17). */
import { toRfc3339, toStorableText, type UnknownHolding } from '@stella/domain';
import type { OutcomeRecord } from '../ports/engine-store.ts';
import type { Session, Statement } from './connection.ts';

/**
 * The first outcome of an operation counts; repeating it changes nothing. Answers which ones are new, and what the database
 * lacks of what their targets hold: the SQL twin of `missingOf` in the domain. Whoever brings them has the claim.
 */
const INSERT: Statement = {
  name: 'outcomes_insert',
  text: `with given as (
      select distinct on (g.operation_id) g.*
      from rows from (json_to_recordset($1) as (operation_id text, outcome text, code text, message text, output text,
        digest text, sealed jsonb, holds jsonb)) with ordinality g (operation_id, outcome, code, message, output, digest,
        sealed, holds, place)
      order by g.operation_id, g.place
    ), clock as materialized (
      select date_trunc('milliseconds', clock_timestamp()) as now
    ), inserted as (
      insert into attempt_outcomes (operation_id, is_late, outcome, code, message, digest, sealed, ended_at, worker_id)
      select g.operation_id, false, g.outcome, g.code, g.message, g.digest, g.sealed, t.now,
        (select p.worker_id from attempts k join promotions p on p.id = k.promotion_id where k.operation_id = g.operation_id)
      from given g, clock t order by g.place
      on conflict (operation_id) where not is_late do nothing
      returning id, operation_id
    ), kept as (
      insert into attempt_outputs (outcome_id, output, ended_at)
      select i.id, g.output, t.now from clock t, inserted i join given g using (operation_id) where g.output <> ''
    )
    select i.operation_id, a.subject, g.holds, case
        when h.op_n is not null and (h.op_epoch, h.op_n) > (h.floor_epoch, h.floor_n)
          and not exists (select from attempts k
            where k.operation_id = h.op_id and k.fence_epoch = h.op_epoch and k.fence_n = h.op_n) then 'operation'
        when (h.epoch, h.n) > (h.floor_epoch, h.floor_n)
          and (h.epoch, h.n) > (select t.epoch, case when f.is_called then f.last_value else 0 end
            from installation t, fence_numbers f) then 'fence'
      end as lacks
    from inserted i join given g using (operation_id) join attempts a using (operation_id)
    left join lateral (
      select (g.holds #>> '{fence,epoch}')::bigint as epoch, (g.holds #>> '{fence,n}')::bigint as n,
        (g.holds #>> '{operation,fence,epoch}')::bigint as op_epoch,
        (g.holds #>> '{operation,fence,n}')::bigint as op_n, g.holds #>> '{operation,operationId}' as op_id,
        coalesce(e.floor_epoch, 0) as floor_epoch, coalesce(e.floor_n, 0) as floor_n
      from promotions p left join environments e on e.name = p.environment
      where p.id = a.promotion_id and jsonb_typeof(g.holds) = 'object') h on true`,
};

/** After a lost claim, or when another outcome was first, as of a gate that was skipped: kept, without effect. The same one is not kept twice. */
const INSERT_LATE: Statement = {
  name: 'outcomes_insert_late',
  text: `insert into attempt_outcomes (operation_id, is_late, outcome, code, message, digest, sealed, ended_at)
    select g.operation_id, true, g.outcome, g.code, g.message, g.digest, g.sealed, clock_timestamp()
    from json_to_recordset($1) as g (operation_id text, outcome text, code text, message text, digest text, sealed jsonb)
    where not exists (select from attempt_outcomes o where o.operation_id = g.operation_id and o.outcome = g.outcome
      and o.message = g.message)`,
};

const PRUNE_OUTPUTS: Statement = {
  name: 'outputs_prune',
  text: `delete from attempt_outputs where outcome_id in (
      select outcome_id from attempt_outputs where ended_at < $1 order by ended_at limit $2)`,
};

export interface InsertedOutcomes {
  /** Operation ids of those that were recorded by this call. */
  readonly ended: readonly string[];
  readonly unknownHoldings: readonly UnknownHolding[];
}

export async function insertOutcomes(session: Session, outcomes: readonly OutcomeRecord[]): Promise<InsertedOutcomes> {
  const given = outcomes.filter(isOutcome);
  if (given.length === 0) return { ended: [], unknownHoldings: [] };
  const rows = await session.rows(INSERT, [JSON.stringify(given.map(toRow))]);
  return {
    ended: rows.map((row) => String(row['operation_id'])),
    // Of our own statement; `holds` comes back as it was given.
    unknownHoldings: rows
      .filter((row) => row['lacks'] !== null)
      .map((row) => ({ target: row['subject'], holds: row['holds'], lacks: row['lacks'] }) as UnknownHolding),
  };
}

export async function insertLateOutcomes(session: Session, outcomes: readonly OutcomeRecord[]): Promise<void> {
  const given = outcomes.filter(isOutcome);
  if (given.length > 0) await session.rows(INSERT_LATE, [JSON.stringify(given.map(toRow))]);
}

export async function pruneOutputs(session: Session, beforeMs: number, limit: number): Promise<number> {
  return session.count(PRUNE_OUTPUTS, [toRfc3339(beforeMs), limit]);
}

/** A question that was taken has no outcome yet. */
function isOutcome({ result }: OutcomeRecord): boolean {
  return result.outcome !== 'acknowledged';
}

/** Whose service has taken the question. */
export function acknowledgedIn(outcomes: readonly OutcomeRecord[]): readonly string[] {
  return outcomes.filter((one) => !isOutcome(one)).map((one) => one.operationId);
}

function toRow({ operationId, result }: OutcomeRecord): Record<string, unknown> {
  const { outcome, code, message, output, digest, sealed, holds = null } = result;
  return {
    operation_id: operationId,
    outcome,
    code,
    message: toStorableText(message),
    output: toStorableText(output),
    digest,
    sealed,
    holds,
  };
}
