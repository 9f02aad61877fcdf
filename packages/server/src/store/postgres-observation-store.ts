/** The port of the observer of targets on PostgreSQL. */
import {
  type Actor,
  chainEvents,
  claimRound,
  longestPauseMs,
  nextLookAt,
  isTaken,
  LOCK_COMMIT_MS_MAX,
  type ObservationRound,
  recordLooks,
  type Settings,
  type TargetDefinition,
  type TargetLookAt,
  type TargetObservation,
  toRfc3339,
  type VerifiedComponent,
  wordSetting,
} from '@stella/domain';
import type { DueRound, ObservationStore, Observer } from '../ports/observation-store.ts';
import { type Database, type Session, type Statement, transact } from './connection.ts';
import { insertEvents } from './event-rows.ts';
import { lockEnvironment } from './guard.ts';
import { keepObservationRows, toObservation } from './observation-rows.ts';
import { transactAndWake } from './owed-wakes.ts';
import { overlay, SET_SETTINGS } from './setting-rows.ts';
import { wakeSoaking } from './soak-wakes.ts';

const ACTOR: Actor = { kind: 'system', name: 'observer' };

const SETTINGS: Statement = {
  name: 'observation_settings',
  text: `select ${SET_SETTINGS} as settings, date_trunc('milliseconds', clock_timestamp()) as now`,
};

/**
 * Locks them; those that another observer has locked are left to it. Locks are found by the live promotions that hold them,
 * and by their name. The twin of `isRoundDue`.
 */
const FIND_DUE: Statement = {
  name: 'observations_due',
  text: `select r.environment, r.number, r.due_at, r.ended_at, d.definition -> 'targets' as targets,
      (select coalesce(json_agg(l.resource), '[]') from promotions p join locks l on l.promotion_id = p.id
        where p.environment = r.environment and p.ended_at is null and l.mode = 'exclusive'
          and l.released_at is null) as taken
    from observation_rounds r join environments e on e.name = r.environment
    join environment_definitions d on d.environment = e.name and d.version = e.version
    where (r.due_at <= $2 or r.ended_at <= $3 or (r.ended_at < e.released_at
        and exists (select from target_observations o where o.environment = r.environment and o.drift_since_at is not null)))
      and not exists (select from locks l where l.resource = 'environment:' || r.environment and l.mode = 'exclusive'
        and l.released_at is null)
    order by r.due_at, r.environment limit $1 for update of r skip locked`,
};

const CLAIM: Statement = {
  name: 'observation_claim',
  text: 'update observation_rounds set number = $2, due_at = $3, ended_at = null where environment = $1',
};

/** After the environment's row, as its removal takes them. */
const LOCK: Statement = {
  name: 'observation_lock',
  text: `select r.number, date_trunc('milliseconds', clock_timestamp()) as now, ${SET_SETTINGS} as settings
    from observation_rounds r where r.environment = $1 and r.number = $2 and r.ended_at is null for update`,
};

/** What a component runs is not known while a failed deploy left it mixed. */
const READ: Statement = {
  name: 'observation_read',
  text: `select d.definition -> 'targets' as targets,
      (select coalesce(json_agg(json_build_object('component', k.name, 'digest', k.digest,
          'verifiedAtMs', (c ->> 'releasedAtMs')::bigint, 'targets', v.targets) order by k.name), '[]')
        from jsonb_array_elements(e.components) c
        join release_components k on k.release_id = c ->> 'releaseId' and k.name = c ->> 'component'
        join lateral (select b.definition -> 'targets' as targets from promotions p
          join environment_definitions b on b.environment = p.environment and b.hash = p.definition_hash
          where p.release_id = k.release_id and p.environment = e.name and p.status = 'completed'
          order by p.ended_at desc, p.id desc limit 1) v on true
        where c ->> 'state' <> 'mixed') as verified,
      (select coalesce(json_agg(l.resource), '[]') from locks l
        where l.mode = 'exclusive' and split_part(l.resource, '/', 1) = 'environment:' || e.name
          and l.acquired_at >= $3 and (l.released_at is null or l.released_at >= $2)) as taken
    from environments e join environment_definitions d on d.environment = e.name and d.version = e.version
    where e.name = $1`,
};

const KNOWN: Statement = {
  name: 'observation_known',
  text: 'select * from target_observations where environment = $1 order by target',
};

const END: Statement = {
  name: 'observation_end',
  text: 'update observation_rounds set due_at = $2, ended_at = $3 where environment = $1',
};

export interface ObservationStoreOptions {
  readonly settings: Settings;
}

export function makeObservationStore(database: Database, { settings }: ObservationStoreOptions): ObservationStore {
  return {
    takeDueRounds: (limit) => transact(database, (session) => takeDueRounds(session, settings, limit)),
    recordRound: (round, looks, observer) =>
      transactAndWake(database, (session, owed) => recordRound(session, settings, { round, looks, observer, owed })),
  };
}

async function takeDueRounds(session: Session, started: Settings, limit: number): Promise<readonly DueRound[]> {
  const [row] = await session.rows(SETTINGS);
  const settings = overlay(started, row?.['settings']);
  if (wordSetting(settings, 'observe.mode') === 'off') return [];
  const nowMs = Number(row?.['now']);
  const pausedSince = toRfc3339(nowMs - longestPauseMs(settings['observe.every']));
  const due: DueRound[] = [];
  for (const found of await session.rows(FIND_DUE, [limit, toRfc3339(nowMs), pausedSince])) {
    const round: ObservationRound = {
      environment: String(found['environment']),
      number: Number(found['number']),
      dueAtMs: Number(found['due_at']),
      endedAtMs: null,
    };
    const { environment } = round;
    // Of checked definitions, and of our own statement.
    const all = found['targets'] as readonly TargetDefinition[];
    const taken = found['taken'] as readonly string[];
    const targets = all.filter((one) => !isTaken(environment, one, taken));
    const atOnce = settings['limits.targetsAtOnce'];
    const timeoutMs = settings['observe.timeout'];
    const claimed = claimRound(round, { targetCount: targets.length, atOnce, timeoutMs }, nowMs);
    await session.rows(CLAIM, [environment, claimed.number, toRfc3339(claimed.dueAtMs)]);
    due.push({ environment, number: claimed.number, claimedAtMs: nowMs, targets, atOnce, timeoutMs });
  }
  return due;
}

interface RecordInput {
  readonly round: DueRound;
  readonly looks: readonly TargetLookAt[];
  readonly observer: Observer;
  /** Takes whom it could not wake. */
  readonly owed: string[];
}

async function recordRound(
  session: Session,
  started: Settings,
  { round, looks, observer, owed }: RecordInput,
): Promise<readonly TargetObservation[] | null> {
  const { environment, number, claimedAtMs } = round;
  await lockEnvironment(session, environment);
  const [row] = await session.rows(LOCK, [environment, number]);
  if (!row) return null;
  const nowMs = Number(row['now']);
  const from = toRfc3339(claimedAtMs - LOCK_COMMIT_MS_MAX);
  const [read] = await session.rows(READ, [environment, toRfc3339(claimedAtMs), from]);
  if (!read) return null;
  const known = (await session.rows(KNOWN, [environment])).map(toObservation);
  const recorded = recordLooks(looks, {
    environment,
    nowMs,
    actor: ACTOR,
    by: observer.by,
    // Shapes of our own statement.
    targets: read['targets'] as readonly TargetDefinition[],
    verified: read['verified'] as readonly VerifiedComponent[],
    known,
    takenResources: read['taken'] as readonly string[],
  });
  await keepObservationRows(session, environment, recorded);
  const everyMs = overlay(started, row['settings'])['observe.every'];
  const dueAtMs = nextLookAt(nowMs, everyMs, observer.jitter);
  await session.rows(END, [environment, toRfc3339(dueAtMs), toRfc3339(nowMs)]);
  if (recorded.changesSoaks) owed.push(...(await wakeSoaking(session, environment, nowMs)));
  await insertEvents(session, chainEvents({ head: null, length: 0 }, recorded.events).events);
  return recorded.kept;
}
