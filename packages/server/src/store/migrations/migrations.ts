/** All migrations in order; append-only: one that was released is never changed. Version = place in this list. */
import { foundation, foundationGrants } from './0001-foundation.ts';
import { skips, skipsGrants } from './0002-skips.ts';
import { queue } from './0003-queue.ts';
import { environmentStops, environmentStopsGrants } from './0004-environment-stops.ts';
import { audit, auditGrants } from './0005-audit.ts';
import { probes, probesGrants } from './0006-probes.ts';
import { priority } from './0007-priority.ts';
import { freezes } from './0008-freezes.ts';
import { dependencies } from './0009-dependencies.ts';
import { concurrency } from './0010-concurrency.ts';
import { callbacks, callbacksGrants } from './0011-callbacks.ts';
import { commands } from './0012-commands.ts';
import { quotas } from './0013-quotas.ts';
import { notifications, notificationsGrants } from './0014-notifications.ts';
import { placesInLists } from './0015-places-in-lists.ts';
import { workersOfAttempts } from './0016-workers-of-attempts.ts';
import { callbackRetention, callbackRetentionGrants } from './0017-callback-retention.ts';
import { owedWakes, owedWakesGrants } from './0018-owed-wakes.ts';
import { registries, registriesGrants } from './0019-registries.ts';
import { batches } from './0020-batches.ts';
import { canaries } from './0021-canaries.ts';
import { promotionKinds } from './0022-promotion-kinds.ts';
import { preflightArtifacts } from './0023-preflight-artifacts.ts';
import { freeNotices } from './0024-free-notices.ts';
import { kindsInLists } from './0026-kinds-in-lists.ts';
import { baseStates } from './0025-base-states.ts';
import { observations, observationsGrants } from './0027-observations.ts';
import { targetBreaks } from './0028-target-breaks.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  { name: 'foundation', sql: `set local search_path = stella, pg_temp;\n${foundation}` },
  { name: 'skips', sql: `set local search_path = stella, pg_temp;\n${skips}` },
  { name: 'queue', sql: `set local search_path = stella, pg_temp;\n${queue}` },
  { name: 'environment-stops', sql: `set local search_path = stella, pg_temp;\n${environmentStops}` },
  { name: 'audit', sql: `set local search_path = stella, pg_temp;\n${audit}` },
  { name: 'probes', sql: `set local search_path = stella, pg_temp;\n${probes}` },
  { name: 'priority', sql: `set local search_path = stella, pg_temp;\n${priority}` },
  { name: 'freezes', sql: `set local search_path = stella, pg_temp;\n${freezes}` },
  { name: 'dependencies', sql: `set local search_path = stella, pg_temp;\n${dependencies}` },
  { name: 'concurrency', sql: `set local search_path = stella, pg_temp;\n${concurrency}` },
  { name: 'callbacks', sql: `set local search_path = stella, pg_temp;\n${callbacks}` },
  { name: 'commands', sql: `set local search_path = stella, pg_temp;\n${commands}` },
  { name: 'quotas', sql: `set local search_path = stella, pg_temp;\n${quotas}` },
  { name: 'notifications', sql: `set local search_path = stella, pg_temp;\n${notifications}` },
  { name: 'places-in-lists', sql: `set local search_path = stella, pg_temp;\n${placesInLists}` },
  { name: 'workers-of-attempts', sql: `set local search_path = stella, pg_temp;\n${workersOfAttempts}` },
  { name: 'callback-retention', sql: `set local search_path = stella, pg_temp;\n${callbackRetention}` },
  { name: 'owed-wakes', sql: `set local search_path = stella, pg_temp;\n${owedWakes}` },
  { name: 'registries', sql: `set local search_path = stella, pg_temp;\n${registries}` },
  { name: 'batches', sql: `set local search_path = stella, pg_temp;\n${batches}` },
  { name: 'canaries', sql: `set local search_path = stella, pg_temp;\n${canaries}` },
  { name: 'promotion-kinds', sql: `set local search_path = stella, pg_temp;\n${promotionKinds}` },
  { name: 'preflight-artifacts', sql: `set local search_path = stella, pg_temp;\n${preflightArtifacts}` },
  { name: 'free-notices', sql: `set local search_path = stella, pg_temp;\n${freeNotices}` },
  { name: 'base-states', sql: `set local search_path = stella, pg_temp;\n${baseStates}` },
  { name: 'kinds-in-lists', sql: `set local search_path = stella, pg_temp;\n${kindsInLists}` },
  { name: 'observations', sql: `set local search_path = stella, pg_temp;\n${observations}` },
  { name: 'target-breaks', sql: `set local search_path = stella, pg_temp;\n${targetBreaks}` },
];

/** Rights of the application role, whose name comes quoted. */
export function grantsFor(quotedRole: string): string {
  const grants = `${foundationGrants}${skipsGrants}${environmentStopsGrants}${auditGrants}${probesGrants}${callbacksGrants}${notificationsGrants}${callbackRetentionGrants}${owedWakesGrants}${registriesGrants}${observationsGrants}`;
  return grants.replaceAll('{app}', quotedRole);
}
