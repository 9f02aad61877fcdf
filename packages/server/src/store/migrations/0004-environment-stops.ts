/**
 * Environments that are stopped because a target holds what this database does not know, the fences from which on an admin
 * has seen what was there, and the installation epoch, which the application may raise but not set.
 */
import { EVENT_TYPES } from '@stella/domain';
import { among } from './among.ts';

/** Of the server that answers. The control file's timeline would lag behind a promotion until the next checkpoint. */
const CURRENT = `select s.system_identifier::text as system,
    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint as timeline
  from pg_control_system() s`;

export const environmentStops = `
alter table environments
  add column stopped_at timestamptz,
  -- Which target, what it holds, what the database lacks.
  add column stop jsonb,
  -- What targets hold up to this fence was seen by an admin who raised it.
  add column floor_epoch bigint,
  add column floor_n bigint,
  add check ((stopped_at is null) = (stop is null)),
  add check ((floor_epoch is null) = (floor_n is null));

alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});

-- Safety S2: raises the epoch when the database is another one than the installation was written for; null: it is not.
create function renew_installation() returns bigint
language sql security definer set search_path = stella, pg_temp as $renew$
  update installation set epoch = epoch + 1, system_identifier = now.system, timeline = now.timeline
  from (${CURRENT}) as now
  where (system_identifier, installation.timeline) is distinct from (now.system, now.timeline)
  returning epoch
$renew$;
revoke all on function renew_installation() from public;

-- Safety S2: an epoch above what targets hold; it never falls.
create function raise_installation_epoch(held bigint) returns bigint
language sql security definer set search_path = stella, pg_temp as $raise$
  update installation set epoch = greatest(epoch, held) + 1 returning epoch
$raise$;
revoke all on function raise_installation_epoch(bigint) from public;
`;

export const environmentStopsGrants = `
grant select on sequence fence_numbers to {app};
grant execute on function renew_installation() to {app};
grant execute on function raise_installation_epoch(bigint) to {app};
`;
