/**
 * Which installation this database is (safety S2). When its system identifier or timeline is another than the last time,
 * it was replaced under us: restored, or a standby that was promoted. Then the installation epoch is raised, so that
 * fences drawn before never win, and what every environment runs is unknown. It is looked at when the server starts, when
 * a worker registers, and in each statement that draws a fence, so that nothing is deployed with an old epoch.
 */
import { type Actor, chainEvents, type EventDraft } from '@stella/domain';
import { type Database, type Session, type Statement, transact } from './connection.ts';
import { insertEvents } from './event-rows.ts';
import { CURRENT_TIMELINE } from './primary.ts';

const SYSTEM: Actor = { kind: 'system', name: 'server' };

/** Fail-overs during one call; more of them are no longer answered here. */
const RENEWALS_MAX = 3;

/** One row: `system`, `timeline`. On a primary only. */
export const CURRENT_INSTALLATION = `select s.system_identifier::text as system, ${CURRENT_TIMELINE} as timeline
  from pg_control_system() s`;

/** A condition on the row `i` of `installation`. */
export const IS_REPLACED = `not exists (select from (${CURRENT_INSTALLATION}) n
  where n.system = i.system_identifier and n.timeline = i.timeline)`;

const READ: Statement = { name: 'installation_read', text: `select ${IS_REPLACED} as is_replaced from installation i` };

const RENEW: Statement = { name: 'installation_renew', text: 'select renew_installation() as epoch' };

const DOUBT: Statement = {
  name: 'environments_doubt',
  text: `update environments set state = 'unknown', components = (
      select coalesce(jsonb_agg(c || '{"state": "unknown"}'), '[]') from jsonb_array_elements(components) c)
    where state not in ('unknown', 'empty') or jsonb_path_exists(components, '$[*] ? (@.state != "unknown")')
    returning name, (extract(epoch from now()) * 1000)::bigint as now_ms`,
};

/** Thrown inside a transaction that must not go on with the old epoch; `renewing` answers it. */
export class InstallationReplaced extends Error {
  constructor() {
    super('the database is another one than the installation was written for');
  }
}

/** Throws `InstallationReplaced`. */
export async function checkInstallation(session: Session): Promise<void> {
  const [row] = await session.rows(READ);
  if (row?.['is_replaced'] === true) throw new InstallationReplaced();
}

/** Runs `work`; when it finds the database replaced, renews the installation and runs it again. */
export async function renewing<T>(database: Database, work: () => Promise<T>): Promise<T> {
  for (let renewal = 0; renewal < RENEWALS_MAX; renewal += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InstallationReplaced)) throw error;
      const epoch = await transact(database, renewInstallation);
      database.logger.warn({ epoch }, 'the database was replaced; what every environment runs is unknown');
    }
  }
  return work();
}

/** The new epoch; null when another did it first, or there was no need. */
export async function renewInstallation(session: Session): Promise<number | null> {
  const [row] = await session.rows(RENEW);
  const epoch = row?.['epoch'] ?? null;
  if (epoch === null) return null;
  const doubted = await session.rows(DOUBT);
  const drafts = doubted.map(
    (one): EventDraft => ({
      type: 'environment.state_changed',
      actor: SYSTEM,
      atMs: Number(one['now_ms']),
      promotionId: null,
      subject: String(one['name']),
      data: { state: 'unknown', installationEpoch: Number(epoch) },
    }),
  );
  await insertEvents(session, chainEvents({ head: null, length: 0 }, drafts).events);
  return Number(epoch);
}
