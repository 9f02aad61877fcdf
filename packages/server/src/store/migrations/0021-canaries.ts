/** Canaries: questions to their judge, and a soak in the middle of a deploy, which may be cancelled. */
import { ATTEMPT_PURPOSES, EVENT_TYPES, STATUS_TRANSITIONS } from '@stella/domain';
import { among } from './among.ts';

const TRANSITIONS = Object.entries(STATUS_TRANSITIONS)
  .flatMap(([from, followers]) => followers.map((to) => `('${from}', '${to}')`))
  .join(', ');

export const canaries = `
alter table attempts drop constraint attempts_purpose_check;
alter table attempts add constraint attempts_purpose_check check (purpose in ${among(ATTEMPT_PURPOSES)});
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});

-- Safety S5, as before, with the listed transitions of now.
create or replace function check_promotion_change() returns trigger language plpgsql as $check$
begin
  if new.version <> old.version + 1 then
    raise exception 'promotion %: version % after %', old.id, new.version, old.version using errcode = 'ST001';
  end if;
  if new.status <> old.status and (old.status, new.status) not in (${TRANSITIONS}) then
    raise exception 'promotion %: status % after %', old.id, new.status, old.status using errcode = 'ST001';
  end if;
  if old.ended_at is not null then
    raise exception 'promotion % has ended and never changes', old.id using errcode = 'ST001';
  end if;
  return new;
end $check$;
`;
