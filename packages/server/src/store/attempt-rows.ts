/** Outcomes of attempts: inserted once by operation id, whatever became of the claim meanwhile (safety S3, S17). */
import { toRfc3339 } from '@stella/domain';
import type { OutcomeRecord } from '../ports/engine-store.ts';
import type { Session, Statement } from './connection.ts';

/** The first outcome of an operation counts; repeating it changes nothing. Answers which ones are new. */
const INSERT: Statement = {
  name: 'outcomes_insert',
  text: `with given as (
      select g.*, row_number() over () as place
      from json_to_recordset($1) as g (operation_id text, outcome text, code text, message text, output text,
        digest text, sealed jsonb)
    ), clock as materialized (
      select date_trunc('milliseconds', clock_timestamp()) as now
    ), inserted as (
      insert into attempt_outcomes (operation_id, is_late, outcome, code, message, digest, sealed, ended_at)
      select g.operation_id, false, g.outcome, g.code, g.message, g.digest, g.sealed, t.now
      from given g, clock t order by g.place
      on conflict (operation_id) where not is_late do nothing
      returning id, operation_id
    ), kept as (
      insert into attempt_outputs (outcome_id, output, ended_at)
      select i.id, g.output, t.now from clock t, inserted i join given g using (operation_id) where g.output <> ''
    )
    select operation_id from inserted`,
};

/** After a lost claim, or when another outcome was first: kept, without effect. The same one is not kept twice. */
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

/** Answers the operation ids of those that were recorded by this call or by an earlier one that committed unseen. */
export async function insertOutcomes(session: Session, outcomes: readonly OutcomeRecord[]): Promise<readonly string[]> {
  if (outcomes.length === 0) return [];
  const rows = await session.rows(INSERT, [JSON.stringify(outcomes.map(toRow))]);
  return rows.map((row) => String(row['operation_id']));
}

export async function insertLateOutcomes(session: Session, outcomes: readonly OutcomeRecord[]): Promise<void> {
  if (outcomes.length > 0) await session.rows(INSERT_LATE, [JSON.stringify(outcomes.map(toRow))]);
}

export async function pruneOutputs(session: Session, beforeMs: number, limit: number): Promise<number> {
  return session.count(PRUNE_OUTPUTS, [toRfc3339(beforeMs), limit]);
}

function toRow({ operationId, result }: OutcomeRecord): Record<string, unknown> {
  const { outcome, code, message, output, digest, sealed } = result;
  return {
    operation_id: operationId,
    outcome,
    code,
    message: printable(message),
    output: printable(output),
    digest,
    sealed,
  };
}

/** PostgreSQL's `text` cannot hold U+0000; what an outside service answered may. */
function printable(text: string): string {
  return text.replaceAll('\u0000', '\ufffd');
}
