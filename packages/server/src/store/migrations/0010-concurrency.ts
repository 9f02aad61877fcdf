/** Several promotions at once in one environment, each for components of its own (`concurrency: per_component`). */
import { CONCURRENCY_MODES } from '@stella/domain';
import { among } from './among.ts';

export const concurrency = `
-- Definitions that were applied before have no word for it; their hashes leave the default out.
update environment_definitions set definition = definition || '{"concurrency": "exclusive"}';

alter table environments add column concurrency text not null default 'exclusive'
  -- The domain's words.
  check (concurrency in ${among(CONCURRENCY_MODES)});
-- What runs of each component, written and locked together with the environment (domain, ComponentStatus).
alter table environments add column components jsonb not null default '[]';
update environments e set components = (
    select coalesce(jsonb_agg(jsonb_build_object('component', c.name, 'releaseId', c.release_id,
      'releaseNumber', e.release_number, 'releasedAtMs', (extract(epoch from e.released_at) * 1000)::bigint,
      'state', e.state) order by c.name), '[]')
    from release_components c where c.release_id = e.release_id);

-- A base may be of several releases; its id is then no release's.
alter table promotions drop constraint promotions_base_release_id_fkey;
alter table approvals drop constraint approvals_base_release_id_fkey;
alter table skips drop constraint skips_base_release_id_fkey;

-- Safety S1: whole environments lie above their components, which the unique index cannot say. The environment's row is
-- locked by whoever takes locks there, so this sees what the one before has committed.
create function check_lock_place() returns trigger language plpgsql as $check$
declare
  place text := split_part(new.resource, '/', 1);
begin
  -- Waits for whoever takes locks there at this moment.
  perform from environments where name = substr(place, length('environment:') + 1) for update;
  if exists (select from locks l where l.released_at is null and l.promotion_id <> new.promotion_id
      and ((l.resource = place and new.resource <> place)
        or (new.resource = place and starts_with(l.resource, place || '/')))) then
    raise exception 'lock %: its place is held by another promotion', new.resource using errcode = 'ST001';
  end if;
  return new;
end $check$;
create trigger locks_place before insert on locks for each row
  when (new.mode = 'exclusive' and new.resource like 'environment:%') execute function check_lock_place();
`;
