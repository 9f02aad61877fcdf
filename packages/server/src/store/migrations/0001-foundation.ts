/**
 * The first schema. Allowed values of state columns come from the domain's arrays, so that the two cannot differ.
 * Instants are `timestamptz` named `_at`; ids are the domain's texts.
 */
import {
  ATTEMPT_OUTCOMES,
  ATTEMPT_PURPOSES,
  ENVIRONMENT_STATES,
  EVENT_TYPES,
  GATE_KINDS,
  GATE_RUN_STATES,
  LOCK_MODES,
  PRIORITIES,
  PROMOTION_STATUSES,
  ROLES,
  STATUS_TRANSITIONS,
  STEP_STATES,
  STEPS,
  TERMINAL_STATUSES,
} from '@stella/domain';
import { among } from './among.ts';

const TRANSITIONS = Object.entries(STATUS_TRANSITIONS)
  .flatMap(([from, followers]) => followers.map((to) => `('${from}', '${to}')`))
  .join(', ');

export const foundation = `
-- One row: which installation this database is. The epoch is the first part of every fence (safety S2).
create table installation (
  is_only boolean primary key default true check (is_only),
  epoch bigint not null check (epoch > 0),
  system_identifier text not null,
  timeline bigint not null,
  created_at timestamptz not null default now()
);

create sequence fence_numbers;
create sequence ticket_numbers;
create sequence release_numbers;
create sequence chain_numbers;

create table persons (
  id text primary key,
  issuer text not null,
  subject text not null,
  -- Null: the first admin, whom the server itself enrolled.
  enrolled_by text references persons (id),
  created_at timestamptz not null,
  unique (issuer, subject)
);

create table automations (
  id text primary key,
  name text not null unique,
  person_id text not null references persons (id),
  created_at timestamptz not null
);

-- Of a person or of an automation.
create table role_bindings (
  owner_id text not null,
  role text not null check (role in ${among(ROLES)}),
  pattern text not null,
  primary key (owner_id, role, pattern)
);

create table enrolments (
  code_hash text primary key,
  person_id text not null references persons (id),
  expires_at timestamptz not null,
  used_at timestamptz
);

create table tokens (
  id text primary key,
  -- SHA-256; the token itself is never stored.
  token_hash text not null unique,
  person_id text references persons (id),
  automation_id text references automations (id),
  minted_by text references persons (id),
  name text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  -- A token belongs to a person or to an automation.
  check ((person_id is null) <> (automation_id is null))
);

create table releases (
  id text primary key,
  name text not null unique,
  number bigint not null unique,
  created_at timestamptz not null,
  created_by jsonb not null
);

create table release_components (
  release_id text not null references releases (id),
  name text not null,
  source jsonb not null,
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  media_type text not null,
  tag text,
  primary key (release_id, name)
);

-- Every definition that was ever applied; promotions are bound to one by its hash.
create table environment_definitions (
  environment text not null,
  version bigint not null check (version > 0),
  hash text not null,
  definition jsonb not null,
  applied_at timestamptz not null,
  applied_by jsonb not null,
  primary key (environment, version)
);
-- Promotions read the definition they are frozen with.
create index environment_definitions_hash on environment_definitions (hash);

-- The row that is locked by whoever decides about queue, locks, fences and the right to deploy.
create table environments (
  name text primary key,
  version bigint not null,
  hash text not null,
  applied_at timestamptz not null,
  policy_revision bigint not null default 1,
  release_id text references releases (id),
  release_number bigint not null default 0,
  released_at timestamptz,
  state text not null default 'empty' check (state in ${among(ENVIRONMENT_STATES)}),
  foreign key (name, version) references environment_definitions (environment, version)
);

create table workers (
  id text primary key,
  hostname text not null,
  version text not null,
  state text not null check (state in ('live', 'dead', 'retired')),
  started_at timestamptz not null,
  heartbeat_at timestamptz not null,
  lease_until_at timestamptz not null,
  -- The session by which others see that the process lives (safety L2).
  session_pid integer not null,
  backend_start_at timestamptz not null,
  postmaster_start_at timestamptz not null
);

-- Settings that were changed while the server runs; a value of null: unset again.
create table settings (
  key text primary key,
  value bigint,
  version bigint not null,
  changed_at timestamptz not null,
  changed_by jsonb not null,
  reason text not null
);

-- Every change of them; rows are only added.
create table setting_changes (
  key text not null references settings (key),
  version bigint not null,
  value bigint,
  changed_at timestamptz not null,
  changed_by jsonb not null,
  reason text not null,
  primary key (key, version)
);

create table promotions (
  id text primary key,
  release_id text not null references releases (id),
  environment text not null,
  priority text not null check (priority in ${among(PRIORITIES)}),
  requested_by jsonb not null,
  retry_of text references promotions (id),
  definition_hash text not null,
  status text not null check (status in ${among(PROMOTION_STATUSES)}),
  step text not null check (step in ${among(STEPS)}),
  base_release_id text references releases (id),
  ticket bigint,
  created_at timestamptz not null,
  last_progress_at timestamptz not null,
  in_progress_since_at timestamptz not null,
  deploy_deadline_at timestamptz,
  cancel_requested_at timestamptz,
  cancel_requested_by jsonb,
  retry_requested_at timestamptz,
  ended_at timestamptz,
  ending_code text,
  ending_message text,
  version bigint not null,
  claim_epoch bigint not null,
  worker_id text references workers (id),
  next_action_at timestamptz,
  -- Claims in a row whose worker died before it wrote anything.
  claim_failures smallint not null default 0,
  -- No worker could move it (safety L8); looked at again when it is due, or when somebody asks.
  set_aside_at timestamptz,
  set_aside_message text,
  chain_head text,
  chain_length bigint not null,
  -- An ended promotion has no next action; a live one always has (safety L1).
  check ((status in ${among(TERMINAL_STATUSES)}) = (ended_at is not null)),
  -- Both ways: nothing is done for an ended one.
  check ((ended_at is null) = (next_action_at is not null)),
  -- An ended promotion is nobody's, and waits for nothing.
  check (ended_at is null or (worker_id is null and ticket is null)),
  -- Both or neither.
  check ((set_aside_at is null) = (set_aside_message is null))
) with (fillfactor = 70);
-- One live promotion per release and environment.
create unique index promotions_live on promotions (release_id, environment) where ended_at is null;
-- Workers look for what is due.
create index promotions_due on promotions (next_action_at) where ended_at is null;
-- What no worker could move.
create index promotions_set_aside on promotions (id) where set_aside_at is not null and ended_at is null;
-- What a worker holds.
create index promotions_worker on promotions (worker_id) where worker_id is not null;
-- Who waits for an environment, and whom to wake.
create index promotions_environment on promotions (environment) where ended_at is null;
-- Lists, newest first; ids sort by time of making.
create index promotions_environment_listed on promotions (environment, id);
-- The same, of one status.
create index promotions_status_listed on promotions (status, id);
-- When a release completed in an environment; releases' own lists.
create index promotions_release on promotions (release_id, environment, status);

create table promotion_steps (
  promotion_id text not null references promotions (id),
  step text not null check (step in ${among(STEPS)}),
  state text not null check (state in ${among(STEP_STATES)}),
  started_at timestamptz,
  ended_at timestamptz,
  message text not null,
  primary key (promotion_id, step)
) with (fillfactor = 70);

create table gate_runs (
  id text primary key,
  promotion_id text not null references promotions (id),
  gate text not null,
  kind text not null check (kind in ${among(GATE_KINDS)}),
  meaning_hash text not null,
  round bigint not null check (round > 0),
  state text not null check (state in ${among(GATE_RUN_STATES)}),
  attempt_count bigint not null,
  attempt_limit bigint not null,
  next_attempt_at timestamptz,
  deadline_at timestamptz,
  held_until_at timestamptz,
  verdict text check (verdict in ('passed', 'failed')),
  verdict_at timestamptz,
  valid_until_at timestamptz,
  due_at timestamptz,
  started_at timestamptz,
  message text not null,
  unique (promotion_id, gate, round),
  -- A verdict is set once, with its time.
  check ((verdict is null) = (verdict_at is null))
) with (fillfactor = 70);

-- An intent to do something outside, written before it is done.
create table attempts (
  operation_id text primary key,
  promotion_id text not null references promotions (id),
  purpose text not null check (purpose in ${among(ATTEMPT_PURPOSES)}),
  subject text not null,
  gate_run_id text references gate_runs (id),
  number bigint not null check (number > 0),
  fence_epoch bigint,
  fence_n bigint,
  started_at timestamptz not null,
  deadline_at timestamptz not null,
  unique (promotion_id, purpose, subject, number),
  -- A fence is a pair.
  check ((fence_epoch is null) = (fence_n is null))
);

-- Insert-only. The first outcome of an operation counts; later ones are kept as late (safety S3).
create table attempt_outcomes (
  id bigint generated always as identity primary key,
  operation_id text not null references attempts (operation_id),
  is_late boolean not null,
  outcome text not null check (outcome in ${among(ATTEMPT_OUTCOMES)}),
  code text not null,
  message text not null,
  digest text,
  sealed jsonb,
  ended_at timestamptz not null
);
-- The first outcome counts, whoever reports first.
create unique index attempt_outcomes_counting on attempt_outcomes (operation_id) where not is_late;

-- Captured answers, apart from the outcomes because retention removes them sooner.
create table attempt_outputs (
  outcome_id bigint primary key references attempt_outcomes (id),
  output text not null,
  ended_at timestamptz not null
);
-- Retention removes the oldest.
create index attempt_outputs_ended on attempt_outputs (ended_at);

create table approvals (
  id text primary key,
  promotion_id text not null references promotions (id),
  gate_run_id text not null references gate_runs (id),
  gate text not null,
  person_id text not null references persons (id),
  decision text not null check (decision in ('approved', 'rejected')),
  reason text not null,
  base_release_id text references releases (id),
  definition_hash text not null,
  decided_at timestamptz not null,
  unique (gate_run_id, person_id)
);
-- A promotion is read with its approvals.
create index approvals_promotion on approvals (promotion_id);

create table locks (
  id text primary key,
  resource text not null,
  mode text not null check (mode in ${among(LOCK_MODES)}),
  promotion_id text not null references promotions (id),
  fence_epoch bigint not null,
  fence_n bigint not null,
  acquired_at timestamptz not null,
  released_at timestamptz
);
-- At most one live lock of an exclusive resource (safety S1).
create unique index locks_exclusive on locks (resource) where released_at is null and mode = 'exclusive';
-- What a promotion holds.
create index locks_live on locks (promotion_id) where released_at is null;

create table events (
  id bigint generated always as identity primary key,
  -- Place in the global chain and hash there; set once, by the sequencer, after commit (safety S13).
  seq bigint unique,
  chain_hash text,
  promotion_id text references promotions (id),
  promotion_seq bigint,
  type text not null check (type in ${among(EVENT_TYPES)}),
  actor jsonb not null,
  subject text not null,
  data jsonb not null,
  at timestamptz not null,
  hash text not null,
  unique (promotion_id, promotion_seq),
  -- Place and hash in the global chain are set together.
  check ((seq is null) = (chain_hash is null)),
  -- An event of a promotion has its place in that promotion's own chain.
  check ((promotion_id is null) = (promotion_seq is null))
);
-- What the sequencer has not chained yet.
create index events_unsequenced on events (id) where seq is null;

-- One row: the end of the global chain, locked by whoever appends to it.
create table chain_head (
  is_only boolean primary key default true check (is_only),
  seq bigint not null,
  chain_hash text
);
insert into chain_head (seq, chain_hash) values (0, null);

create table idempotency_keys (
  actor_id text not null,
  route text not null,
  key text not null,
  body_hash text not null,
  status integer,
  answer jsonb,
  created_at timestamptz not null,
  primary key (actor_id, route, key)
);
-- Retention removes the oldest.
create index idempotency_keys_created on idempotency_keys (created_at);

-- Safety S5: a terminal status never changes, only listed transitions happen, the version grows by one.
create function check_promotion_change() returns trigger language plpgsql as $check$
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
create trigger promotions_change before update on promotions for each row execute function check_promotion_change();

-- Safety S7: a verdict is set once.
create function check_gate_run_change() returns trigger language plpgsql as $check$
begin
  raise exception 'gate run %: its verdict never changes', old.id using errcode = 'ST001';
end $check$;
create trigger gate_runs_change before update on gate_runs for each row
  when (old.verdict is not null and (new.verdict, new.verdict_at, new.meaning_hash) is distinct from (old.verdict, old.verdict_at, old.meaning_hash))
  execute function check_gate_run_change();

-- Safety S13: events are sealed; the sequencer sets their place once.
create function check_event_change() returns trigger language plpgsql as $check$
begin
  raise exception 'event %: events never change', old.id using errcode = 'ST001';
end $check$;
create trigger events_change before update on events for each row
  when (old.seq is not null
    or (new.id, new.promotion_id, new.promotion_seq, new.type, new.actor, new.subject, new.data, new.at, new.hash)
      is distinct from
       (old.id, old.promotion_id, old.promotion_seq, old.type, old.actor, old.subject, old.data, old.at, old.hash))
  execute function check_event_change();

-- The only way for events to go: of promotions that ended before the given moment, oldest first, in whole promotions.
-- Answers how many went. The caller records it as an event, so that the gap in the global chain is explained.
create function prune_events(ended_before timestamptz, promotions_max integer) returns bigint
language sql security definer set search_path = stella, pg_temp as $prune$
  with old as (
    select p.id from promotions p
    where p.ended_at < least(ended_before, now() - interval '1 day')
      and exists (select from events e where e.promotion_id = p.id)
      and not exists (select from events e where e.promotion_id = p.id and e.seq is null)
    order by p.ended_at limit promotions_max
  ), gone as (
    delete from events e using old where e.promotion_id = old.id returning 1
  )
  select count(*) from gone
$prune$;
revoke all on function prune_events(timestamptz, integer) from public;
`;

/** What the application role may do; anything else is for the owner (safety S13). */
export const foundationGrants = `
grant usage on schema stella to {app};
grant select, insert, update on all tables in schema stella to {app};
revoke update on attempts, attempt_outcomes, attempt_outputs, approvals, releases, release_components,
  environment_definitions, installation, setting_changes from {app};
revoke insert on installation, chain_head from {app};
revoke update on events from {app};
grant update (seq, chain_hash) on events to {app};
grant delete on attempt_outputs, idempotency_keys, role_bindings, environments to {app};
grant usage on all sequences in schema stella to {app};
grant execute on function prune_events(timestamptz, integer) to {app};
`;
