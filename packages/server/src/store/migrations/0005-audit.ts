/**
 * What the background audit needs: the hashes of the audit log computed by the database itself, indexes by which the rules
 * find their rows, whose turn it is, and what was found.
 */
import { EVENT_TYPES } from '@stella/domain';

const EVENT_WORDS = EVENT_TYPES.map((word) => `'${word}'`).join(', ');

export const audit = `
-- RFC 8785, as canonicalJson of the domain writes it: members by name, nothing between them.
create function canonical_json(value jsonb) returns text language plpgsql immutable strict parallel safe as $canonical$
begin
  case jsonb_typeof(value)
    when 'object' then
      return '{' || coalesce((select string_agg(to_json(m.key)::text || ':' || canonical_json(m.value), ','
        order by m.key collate "C") from jsonb_each(value) m), '') || '}';
    when 'array' then
      return '[' || coalesce((select string_agg(canonical_json(m.value), ',' order by m.place)
        from jsonb_array_elements(value) with ordinality m (value, place)), '') || ']';
    else
      return value::text;
  end case;
end $canonical$;

create function text_digest(content text) returns text language sql immutable strict parallel safe as $digest$
  select 'sha256:' || encode(sha256(convert_to(content, 'UTF8')), 'hex')
$digest$;

create function json_digest(value jsonb) returns text language sql immutable strict parallel safe as $digest$
  select text_digest(canonical_json(value))
$digest$;

-- The hash of an event after the previous hash of its promotion's chain; place: its number there.
create function event_hash(previous text, e events, place bigint) returns text language sql stable parallel safe as $hash$
  select text_digest(coalesce(previous, '') || chr(10) || canonical_json(jsonb_build_object(
    'actor', e.actor, 'at', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'data', e.data,
    'promotion', e.promotion_id, 'promotionSeq', place, 'subject', e.subject, 'type', e.type)))
$hash$;

-- Which operation at a target came before, by fence (safety S2).
create index attempts_fence on attempts (fence_epoch, fence_n) where fence_n is not null;
-- What an environment ran at a moment (safety S8, S10).
create index promotions_completed on promotions (environment, ended_at) where status = 'completed';
-- Who waits for a lock, among many that wait for something else (safety L4).
create index promotions_queue on promotions (environment) where ticket is not null and ended_at is null;
-- What retention removed explains the gaps of the global chain (safety S13).
create index events_pruned on events (id) where type = 'retention.pruned';

-- One row: how far the audit is. Whoever moves a due time does that work, so that of many servers one does it at a time.
create table audit_progress (
  is_only boolean primary key default true check (is_only),
  live_due_at timestamptz not null,
  -- The place in the global chain up to which changes were looked at; its end when nothing was looked at yet.
  live_seq bigint not null,
  live_ended_at timestamptz,
  sweep_due_at timestamptz not null,
  -- Events of the global chain are looked at after the promotions.
  sweep_part text not null default 'promotions' check (sweep_part in ('promotions', 'events')),
  -- Id of the last promotion, or seq of the last event, that was looked at.
  sweep_after text not null default '',
  sweep_started_at timestamptz,
  sweep_ended_at timestamptz
);
insert into audit_progress (live_due_at, live_seq, sweep_due_at) values (now(), 0, now());

create table invariant_violations (
  rule text not null,
  subject text not null,
  message text not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (rule, subject)
);

alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in (${EVENT_WORDS}));
`;

export const auditGrants = `
grant select, insert, update, delete on audit_progress, invariant_violations to {app};
revoke insert, delete on audit_progress from {app};
grant select on sequence fence_numbers to {app};
grant execute on function canonical_json(jsonb), text_digest(text), json_digest(jsonb), event_hash(text, events, bigint) to {app};
`;
