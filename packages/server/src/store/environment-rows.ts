/**
 * Environments and the versions of their definitions. Each type assertion is on a column that only our own statements
 * write, from checked values.
 */
import {
  type Actor,
  type Digest,
  definitionHash,
  type EnvironmentDefinition,
  type EnvironmentStatus,
  firstRound,
  type PredecessorStatus,
  type PromotionId,
  type PromotionKind,
  toRfc3339,
} from '@stella/domain';
import type { EnvironmentRecord, LiveDefinition } from '../ports/command-store.ts';
import type { EnvironmentRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { toStop } from './environment-stop-column.ts';
import { type RawBreak, SELECT_BREAKS, toObservedBreak } from './observation-rows.ts';
import { artifactsCompletedAt, artifactsSince } from './predecessor-columns.ts';
import { numberOrNull, textOrNull } from './row-values.ts';
import { type RawDebt, toDebt } from './skip-rows.ts';

const COLUMNS = `e.name, e.version, e.hash, e.applied_at, d.definition, e.release_id, e.release_number, e.released_at,
  e.state, e.policy_revision, e.stopped_at, e.stop, e.operator_freeze, e.planned_freezes, e.quotas, e.quota_requests, e.concurrency,
  e.components,
  (select coalesce(jsonb_object_agg(r.id, r.name), '{}') from jsonb_array_elements(e.components) c
    join releases r on r.id = c ->> 'releaseId') as release_names,
  (select r.name from releases r where r.id = e.release_id) as release_name,
  (select coalesce(json_agg(g order by g.opened_at, g.id), '[]') from gate_debts g
   where g.environment = e.name and g.state = 'open') as debts`;
const FROM = 'from environments e join environment_definitions d on d.environment = e.name and d.version = e.version';

const LIST: Statement = { name: 'environment_list', text: `select ${COLUMNS} ${FROM} order by e.name limit 1000` };
const READ: Statement = { name: 'environment_read', text: `select ${COLUMNS} ${FROM} where e.name = $1` };
/** Whoever makes a promotion shares the row, whoever applies a definition has it alone. */
const LOCK_SHARED: Statement = {
  name: 'environment_lock_shared',
  text: 'select name from environments where name = $1 for share',
};
const LOCK_ALL: Statement = {
  name: 'environment_lock_all',
  text: 'select name from environments order by name for update',
};

const PREDECESSORS: Statement = {
  name: 'environment_predecessors',
  text: `select e.name, e.release_id, e.release_number, e.released_at, e.state, e.policy_revision, e.stopped_at,
      e.stop, e.operator_freeze, e.planned_freezes, e.quotas, e.quota_requests, e.concurrency, e.components,
      (select max(c.ended_at) from promotions c
       where c.release_id = $2 and c.environment = e.name and c.status = 'completed') as completed_at,
      null as artifacts_since, ${SELECT_BREAKS} as breaks
    from environments e where e.name = any ($1)`,
};
const PREDECESSORS_BY_ARTIFACTS: Statement = {
  name: 'environment_predecessors_by_artifacts',
  text: `select e.name, e.release_id, e.release_number, e.released_at, e.state, e.policy_revision, e.stopped_at,
      e.stop, e.operator_freeze, e.planned_freezes, e.quotas, e.quota_requests, e.concurrency, e.components,
      ${artifactsCompletedAt('$2')} as completed_at, ${artifactsSince('$2')} as artifacts_since, ${SELECT_BREAKS} as breaks
    from environments e where e.name = any ($1)`,
};

const INSERT_DEFINITION: Statement = {
  name: 'definition_insert',
  text: `insert into environment_definitions (environment, version, hash, definition, applied_at, applied_by)
    select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 from environment_definitions where environment = $1
    returning version`,
};

const WRITE: Statement = {
  name: 'environment_write',
  text: `with looked_at as (insert into observation_rounds (environment, number, due_at, ended_at) values ($1, 0, $8, $4)
      on conflict (environment) do nothing)
    insert into environments (name, version, hash, applied_at, planned_freezes, concurrency, quotas)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (name) do update set version = excluded.version, hash = excluded.hash,
      applied_at = excluded.applied_at, planned_freezes = excluded.planned_freezes,
      concurrency = excluded.concurrency, quotas = excluded.quotas, policy_revision = environments.policy_revision + 1`,
};

const REMOVE: Statement = {
  name: 'environment_remove',
  text: `with gone as (delete from probes where environment = $1),
      unlooked as (delete from observation_rounds where environment = $1),
      unseen as (delete from target_observations where environment = $1)
    delete from environments where name = $1`,
};

const LIVE_PROMOTIONS: Statement = {
  name: 'environment_live_promotions',
  text: 'select id from promotions where environment = $1 and ended_at is null order by id limit 10',
};

const LIVE_DEFINITIONS: Statement = {
  name: 'environment_live_definitions',
  text: `select p.id, (select d.definition from environment_definitions d
      where d.environment = $1 and d.hash = p.definition_hash limit 1) as definition
    from (select min(id) as id, definition_hash from promotions where environment = $1 and ended_at is null
      group by definition_hash) p order by p.id`,
};

const NAMES: Statement = { name: 'environment_names', text: 'select name from environments order by name limit 1000' };

export async function listEnvironmentRows(session: Session): Promise<readonly EnvironmentRow[]> {
  return (await session.rows(LIST)).map(toEnvironmentRow);
}

export async function readEnvironmentRow(session: Session, name: string): Promise<EnvironmentRow | null> {
  const [row] = await session.rows(READ, [name]);
  return row ? toEnvironmentRow(row) : null;
}

export async function listEnvironmentNames(session: Session): Promise<string[]> {
  return (await session.rows(NAMES)).map((row) => String(row['name']));
}

/** The row with its latest definition, locked `for share`. */
export async function shareEnvironmentRow(session: Session, name: string): Promise<EnvironmentRow | null> {
  await session.rows(LOCK_SHARED, [name]);
  return readEnvironmentRow(session, name);
}

export async function lockEnvironmentRows(session: Session): Promise<readonly EnvironmentRow[]> {
  await session.rows(LOCK_ALL);
  return listEnvironmentRows(session);
}

/** That release did, there, at some time. */
export async function hasCompleted(session: Session, environment: string, releaseId: string): Promise<boolean> {
  const [place] = await session.rows(PREDECESSORS, [[environment], releaseId]);
  return numberOrNull(place?.['completed_at']) !== null;
}

export async function readPredecessors(
  session: Session,
  names: readonly string[],
  { releaseId, kind }: { readonly releaseId: string; readonly kind: PromotionKind },
): Promise<readonly PredecessorStatus[]> {
  if (names.length === 0) return [];
  const statement = kind === 'deploy' ? PREDECESSORS_BY_ARTIFACTS : PREDECESSORS;
  const rows = await session.rows(statement, [names, releaseId]);
  return rows.map((row) => ({
    ...toStatus(row),
    completedAtMs: numberOrNull(row['completed_at']),
    artifactsSinceMs: numberOrNull(row['artifacts_since']),
    breaks: (row['breaks'] as readonly RawBreak[]).map(toObservedBreak),
  }));
}

export async function writeDefinitionRows(
  session: Session,
  definition: EnvironmentDefinition,
  { actor, nowMs }: { actor: Actor; nowMs: number },
): Promise<EnvironmentRecord> {
  const hash = definitionHash(definition);
  const at = toRfc3339(nowMs);
  const { name } = definition;
  const [row] = await session.rows(INSERT_DEFINITION, [
    name,
    hash,
    JSON.stringify(definition),
    at,
    JSON.stringify(actor),
  ]);
  const version = Number(row?.['version']);
  const { freezes, concurrency, quotas } = definition;
  const live = [JSON.stringify(freezes), concurrency, quotas ? JSON.stringify(quotas) : null];
  const { dueAtMs } = firstRound(name, nowMs);
  await session.rows(WRITE, [name, version, hash, at, ...live, toRfc3339(dueAtMs)]);
  return { definition, version, hash, appliedAtMs: nowMs };
}

export async function removeEnvironmentRow(session: Session, name: string): Promise<void> {
  await session.rows(REMOVE, [name]);
}

export async function livePromotionIds(session: Session, environment: string): Promise<readonly PromotionId[]> {
  return (await session.rows(LIVE_PROMOTIONS, [environment])).map((row) => row['id'] as PromotionId);
}

export async function liveDefinitionRows(session: Session, environment: string): Promise<readonly LiveDefinition[]> {
  return (await session.rows(LIVE_DEFINITIONS, [environment])).map((row) => ({
    promotionId: row['id'] as PromotionId,
    definition: row['definition'] as EnvironmentDefinition,
  }));
}

function toEnvironmentRow(row: Readonly<Record<string, unknown>>): EnvironmentRow {
  return {
    // Written by us from checked values.
    definition: row['definition'] as EnvironmentDefinition,
    version: Number(row['version']),
    hash: row['hash'] as Digest,
    appliedAtMs: Number(row['applied_at']),
    status: toStatus(row),
    releaseName: textOrNull(row['release_name']),
    debts: (row['debts'] as readonly RawDebt[]).map(toDebt),
    releaseNames: row['release_names'] as EnvironmentRow['releaseNames'],
  };
}

function toStatus(row: Readonly<Record<string, unknown>>): EnvironmentStatus {
  return {
    name: String(row['name']),
    releaseId: row['release_id'] as EnvironmentStatus['releaseId'],
    releaseNumber: Number(row['release_number']),
    releasedAtMs: numberOrNull(row['released_at']),
    state: row['state'] as EnvironmentStatus['state'],
    policyRevision: Number(row['policy_revision']),
    stop: toStop(numberOrNull(row['stopped_at']), row['stop']),
    freeze: row['operator_freeze'] as EnvironmentStatus['freeze'],
    plannedFreezes: row['planned_freezes'] as EnvironmentStatus['plannedFreezes'],
    quotas: row['quotas'] as EnvironmentStatus['quotas'],
    quotaRequests: row['quota_requests'] as EnvironmentStatus['quotaRequests'],
    concurrency: row['concurrency'] as EnvironmentStatus['concurrency'],
    components: row['components'] as EnvironmentStatus['components'],
  };
}
