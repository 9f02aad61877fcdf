/** The reads' port on PostgreSQL. Never a replica; a page's cursor is the last row's place, in base64url. */
import { AppError, type IdPrefix, isIdStart, nearestOf, type Settings } from '@stella/domain';
import type { Cursor, OrchestratorFacts, Page, ReadStore } from '../ports/read-store.ts';
import { readChain, readChainHead, readPromotionChain } from './chain-rows.ts';
import { findDigestsByStart, listArtifactUses } from './artifact-rows.ts';
import { findCallbackPlaceRow } from './callback-rows.ts';
import { autocommit, type Database, type Session, type Statement } from './connection.ts';
import { listDeploymentRows } from './deployment-rows.ts';
import { readDiagnosisRows } from './diagnosis-rows.ts';
import { listEnvironmentNames, listEnvironmentRows, readEnvironmentRow } from './environment-rows.ts';
import { readAnswer } from './idempotency.ts';
import { readMonitoringFacts } from './monitoring.ts';
import { readGateStatsRows } from './gate-stats-rows.ts';
import {
  findPersonRow,
  findTokenOwner,
  findTokensByStart,
  listApproverRows,
  listSubjects,
  listTokenRows,
} from './identity-rows.ts';
import { findLocksByStart, listLiveLockIds, listLockRows } from './lock-rows.ts';
import {
  countByStatus,
  countPromotionActors,
  countPromotionRows,
  findPromotionsByStart,
  listPromotionRows,
} from './promotion-rows.ts';
import { listQuotaRows } from './quota-rows.ts';
import { findRegistryRow, listRegistryRows } from './registry-rows.ts';
import { findReleaseByName, findReleasesByStart, listReleaseNames, listReleaseRows } from './release-rows.ts';
import type { ImmutableRows } from './immutable-rows.ts';
import { readTimedSnapshot } from './snapshot.ts';
import { countDriftRows, listObservationRows } from './observation-rows.ts';
import { listTargetLooks } from './target-look-rows.ts';
import { listSettingChangeRows, listSettingRows } from './setting-rows.ts';
import { listWorkerRows } from './worker-rows.ts';
import { numberOrNull } from './row-values.ts';

const CURSOR_LENGTH_MAX = 200;

export interface ReadStoreOptions {
  readonly settings: Settings;
  readonly cache: ImmutableRows;
}

export function makeReadStore(database: Database, options: ReadStoreOptions): ReadStore {
  const read = <T>(work: (session: Session) => Promise<T>): Promise<T> => autocommit(database, work);
  return {
    findPromotionId: (text) => read((session) => findPromotion(session, text)),
    findRelease: (text) => read((session) => findRelease(session, text)),
    findLockId: (text) => read((session) => findLock(session, text)),
    findTokenId: (text) => read((session) => findToken(session, text)),
    readPromotion: (id) => read((session) => readPromotion(session, options, id)),
    readDiagnosis: (id) => read((session) => readDiagnosisRows(session, options.cache, options.settings, id)),
    listPromotions: (filter, { cursor, limit }) =>
      read(async (session) => {
        const beforeId = cursor === null ? null : decodeCursor(cursor, /^prm_[0-9a-f]{32}$/);
        const rows = await listPromotionRows(session, filter, { beforeId, limit: limit + 1 });
        return toPage(rows, limit, (row) => row.id);
      }),
    countPromotions: (filter) => read((session) => countPromotionRows(session, filter)),
    countPromotionActors: (filter) => read((session) => countPromotionActors(session, filter)),
    listDeployments: (environment, wish) => read((session) => listDeploymentRows(session, environment, wish)),
    listTargetLooks: (environment) => read((session) => listTargetLooks(session, environment)),
    listObservations: (filter) => read((session) => listObservationRows(session, filter)),
    countDrift: (limit) => read((session) => countDriftRows(session, limit)),
    readArtifact: (text) => read((session) => readArtifact(session, text)),
    listReleases: ({ cursor, limit }) =>
      read(async (session) => {
        const before = cursor === null ? null : Number(decodeCursor(cursor, /^\d{1,15}$/));
        return toPage(await listReleaseRows(session, before, limit + 1), limit, (row) => String(row.number));
      }),
    listEnvironments: () => read(listEnvironmentRows),
    readEnvironment: (name) => read((session) => readEnvironment(session, name)),
    listQuotas: (environment) => read((session) => listQuotaRows(session, environment)),
    listLocks: (environment) => read((session) => listLockRows(session, environment)),
    listWorkers: () => read(listWorkerRows),
    readEvents: (afterSeq, limit, promotionId) =>
      read((session) => readChain(session, { afterSeq, limit, promotionId })),
    readPromotionEvents: (promotionId, after, limit) =>
      read((session) => readPromotionChain(session, { promotionId, after, limit })),
    findToken: (tokenHash) => read((session) => findTokenOwner(session, tokenHash)),
    listTokens: (ownedBy, { cursor, limit }) =>
      read(async (session) => {
        const beforeId = cursor === null ? null : decodeCursor(cursor, /^tok_[0-9a-f]{32}$/);
        return toPage(await listTokenRows(session, { beforeId, limit: limit + 1, ownedBy }), limit, (row) => row.id);
      }),
    findPerson: (subject) => read((session) => findPerson(session, subject)),
    listApprovers: (limit) => read((session) => listApproverRows(session, limit)),
    findAnswer: (request) => read((session) => readAnswer(session, request)),
    findCallbackPlace: (operationId) => read((session) => findCallbackPlaceRow(session, operationId)),
    listRegistries: () => read(listRegistryRows),
    findRegistry: (host) => read((session) => findRegistryRow(session, host)),
    listSettings: () => read(listSettingRows),
    listSettingChanges: (key, { cursor, limit }) =>
      read(async (session) => {
        const beforeVersion = cursor === null ? null : Number(decodeCursor(cursor, /^\d{1,15}$/));
        const rows = await listSettingChangeRows(session, key, { beforeVersion, limit: limit + 1 });
        return toPage(rows, limit, (row) => String(row.version));
      }),
    readGateStats: (wish) => read((session) => readGateStatsRows(session, wish)),
    readFacts: (stuckAfterMs) => read((session) => readFacts(session, stuckAfterMs)),
    readMonitoring: (stuckAfterMs, limits) => read((session) => readMonitoringFacts(session, stuckAfterMs, limits)),
  };
}

async function findPromotion(session: Session, text: string): ReturnType<ReadStore['findPromotionId']> {
  return findOne(text, 'prm', (start) => findPromotionsByStart(session, start));
}

const NOT_FOUND_CODES = { prm: 'promotion.not_found', lck: 'lock.not_found', tok: 'token.not_found' } as const;

/** Whole id or unique start of one → id. */
async function findOne<Id extends string>(
  text: string,
  prefix: keyof typeof NOT_FOUND_CODES & IdPrefix,
  byStart: (start: string) => Promise<readonly Id[]>,
  known: () => Promise<readonly string[]> = () => Promise.resolve([]),
): Promise<Id> {
  const found = isIdStart(prefix, text) ? await byStart(text) : [];
  const [first, second] = found;
  if (first !== undefined && (second === undefined || first === text)) return first;
  if (first !== undefined) {
    throw new AppError('input.id_ambiguous', { details: { value: text, matches: found.join(', ') } });
  }
  const nearest = nearestOf(text, await known());
  const hint = nearest === null ? {} : { hint: `did you mean "${nearest}"?` };
  throw new AppError(NOT_FOUND_CODES[prefix], { details: { name: text, nearest }, ...hint });
}

const DIGEST_START = /^sha256:[0-9a-f]{8,64}$/;

async function readArtifact(session: Session, text: string): ReturnType<ReadStore['readArtifact']> {
  const found = DIGEST_START.test(text) ? await findDigestsByStart(session, text) : [];
  const [digest] = found;
  if (digest === undefined) throw new AppError('artifact.not_found', { details: { name: text } });
  if (found.length > 1) {
    throw new AppError('input.id_ambiguous', { details: { value: text, matches: found.join(', ') } });
  }
  return { digest, uses: await listArtifactUses(session, digest) };
}

async function findToken(session: Session, text: string): ReturnType<ReadStore['findTokenId']> {
  let found: Awaited<ReturnType<typeof findTokensByStart>> = [];
  const id = await findOne(text, 'tok', async (start) => {
    found = await findTokensByStart(session, start);
    return found.map((one) => one.id);
  });
  const owner = found.find((one) => one.id === id);
  if (!owner) throw new AppError('token.not_found', { details: { name: text } });
  return owner;
}

async function findLock(session: Session, text: string): ReturnType<ReadStore['findLockId']> {
  return findOne(
    text,
    'lck',
    (start) => findLocksByStart(session, start),
    () => listLiveLockIds(session),
  );
}

async function findRelease(session: Session, text: string): ReturnType<ReadStore['findRelease']> {
  const named = await findReleaseByName(session, text);
  if (named) return named;
  const started = isIdStart('rel', text) ? await findReleasesByStart(session, text) : [];
  const [first, second] = started;
  if (first && (!second || first.id === text)) return first;
  if (first) {
    const matches = started.map((one) => one.id).join(', ');
    throw new AppError('input.id_ambiguous', { details: { value: text, matches } });
  }
  const nearest = nearestOf(text, await listReleaseNames(session));
  throw notFound('release.not_found', text, nearest);
}

async function readEnvironment(session: Session, name: string): ReturnType<ReadStore['readEnvironment']> {
  const row = await readEnvironmentRow(session, name);
  if (row) return row;
  throw notFound('environment.not_found', name, nearestOf(name, await listEnvironmentNames(session)));
}

async function findPerson(session: Session, subject: string): ReturnType<ReadStore['findPerson']> {
  const row = await findPersonRow(session, subject);
  if (row) return row;
  throw notFound('person.not_found', subject, nearestOf(subject, await listSubjects(session)));
}

function notFound(
  code: 'release.not_found' | 'environment.not_found' | 'person.not_found',
  name: string,
  nearest: string | null,
): AppError {
  const hint = nearest === null ? {} : { hint: `did you mean "${nearest}"?` };
  return new AppError(code, { details: { name, nearest }, ...hint });
}

async function readPromotion(
  session: Session,
  { cache, settings }: ReadStoreOptions,
  id: Parameters<ReadStore['readPromotion']>[0],
): ReturnType<ReadStore['readPromotion']> {
  const read = await readTimedSnapshot(session, cache, settings, id);
  if (!read) throw new AppError('promotion.not_found', { details: { name: id } });
  return read;
}

const FACTS: Statement = {
  name: 'orchestrator_facts',
  text: `select clock_timestamp() as now, current_setting('server_version') as version,
      (select coalesce(max(version), 0) from schema_migrations) as schema_version,
      (select epoch from installation) as installation_epoch,
      (select count(*) from promotions where ended_at is null and status = 'in_progress'
        and greatest(last_progress_at, in_progress_since_at) < now() - coalesce(
          (select value from settings where key = 'stuck.after'), $1) * interval '1 millisecond') as stalled,
      (select count(*) from promotions where ended_at is null and set_aside_at is not null) as set_aside,
      (select min(next_action_at) from promotions where ended_at is null and worker_id is null
        and next_action_at < now()) as oldest_due,
      (select count(*) from locks where released_at is null and mode = 'exclusive') as live_locks,
      (select count(*) from gate_debts where state = 'open') as open_debts,
      (select json_object_agg(property, count) from (select split_part(rule, '.', 1) as property, count(*) as count
        from invariant_violations group by 1) v) as violations,
      (select sweep_ended_at from audit_progress) as sweep_ended`,
};

async function readFacts(session: Session, stuckAfterMs: number): Promise<OrchestratorFacts> {
  const [[row], counts, chain] = await Promise.all([
    session.rows(FACTS, [stuckAfterMs]),
    countByStatus(session),
    readChainHead(session),
  ]);
  return {
    databaseNowMs: Number(row?.['now']),
    databaseVersion: String(row?.['version']),
    schemaVersion: Number(row?.['schema_version']),
    installationEpoch: Number(row?.['installation_epoch']),
    promotionsByStatus: counts,
    stalledCount: Number(row?.['stalled']),
    setAsideCount: Number(row?.['set_aside']),
    oldestDueAtMs: numberOrNull(row?.['oldest_due']),
    liveLockCount: Number(row?.['live_locks']),
    openDebtCount: Number(row?.['open_debts']),
    unsequencedEventCount: chain.unsequencedCount,
    lastSeq: chain.seq,
    violationsByProperty: row?.['violations'] ?? {},
    sweepEndedAtMs: numberOrNull(row?.['sweep_ended']),
  };
}

/** One row more than the limit was read when there are more. */
function toPage<Row>(rows: readonly Row[], limit: number, placeOf: (row: Row) => string): Page<Row> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, next: rows.length > limit && last !== undefined ? encodeCursor(placeOf(last)) : null };
}

function encodeCursor(place: string): Cursor {
  return Buffer.from(place).toString('base64url');
}

function decodeCursor(cursor: Cursor, shape: RegExp): string {
  const place = cursor.length > CURSOR_LENGTH_MAX ? '' : Buffer.from(cursor, 'base64url').toString();
  if (!shape.test(place)) throw new AppError('input.cursor');
  return place;
}
