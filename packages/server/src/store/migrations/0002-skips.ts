/**
 * Skips of gates by two persons (safety S8), and the debts that they leave: gates which are still to pass for what runs.
 */
import { DEBT_OUTCOMES, DEBT_STATES, EVENT_TYPES, GATE_KINDS, SKIP_STATES, SKIP_TRANSITIONS } from '@stella/domain';
import { among } from './among.ts';

const TRANSITIONS = Object.entries(SKIP_TRANSITIONS)
  .flatMap(([from, followers]) => followers.map((to) => `('${from}', '${to}')`))
  .join(', ');

export const skips = `
-- The new kinds of events.
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});

create table skips (
  id text primary key,
  promotion_id text not null references promotions (id),
  gate_run_id text not null references gate_runs (id),
  gate text not null,
  requested_by text not null references persons (id),
  reason text not null check (reason <> ''),
  requested_at timestamptz not null,
  base_release_id text references releases (id),
  definition_hash text not null,
  state text not null check (state in ${among(SKIP_STATES)}),
  -- Who approved it, or rejected it.
  decided_by text references persons (id),
  decision_reason text not null,
  decided_at timestamptz,
  expires_at timestamptz,
  ended_at timestamptz,
  message text not null,
  -- Both or neither.
  check ((decided_by is null) = (decided_at is null)),
  -- An approval gives the expiry, and comes from another person than the request.
  check (expires_at is null or (decided_by is not null and decided_by <> requested_by) or state = 'rejected'),
  -- What counts, or was used, had been approved.
  check (state not in ('approved', 'used') or expires_at is not null),
  -- It is open, or has ended.
  check ((state in ('requested', 'approved')) = (ended_at is null))
);
-- At most one open skip of a gate.
create unique index skips_open on skips (promotion_id, gate) where ended_at is null;
-- A promotion is read with its skips.
create index skips_promotion on skips (promotion_id);

-- An ended skip never changes; only listed transitions happen; what was asked for stays.
create function check_skip_change() returns trigger language plpgsql as $check$
begin
  if new.state <> old.state and (old.state, new.state) not in (${TRANSITIONS}) then
    raise exception 'skip %: state % after %', old.id, new.state, old.state using errcode = 'ST001';
  end if;
  if old.ended_at is not null then
    raise exception 'skip % has ended and never changes', old.id using errcode = 'ST001';
  end if;
  return new;
end $check$;
create trigger skips_change before update on skips for each row execute function check_skip_change();

create table gate_debts (
  id text primary key,
  promotion_id text not null references promotions (id),
  environment text not null,
  release_id text not null references releases (id),
  gate text not null,
  kind text not null check (kind in ${among(GATE_KINDS)}),
  gate_run_id text not null references gate_runs (id),
  skip_id text not null unique references skips (id),
  definition_hash text not null,
  state text not null check (state in ${among(DEBT_STATES)}),
  opened_at timestamptz not null,
  closed_at timestamptz,
  due_at timestamptz,
  ask_count bigint not null,
  last_asked_at timestamptz,
  last_outcome text check (last_outcome in ${among(DEBT_OUTCOMES)}),
  message text not null,
  -- An open debt always has a next action (safety L1), a closed one never.
  check ((state = 'open') = (closed_at is null)),
  -- Likewise.
  check ((state = 'open') = (due_at is not null))
);
-- Workers look for what is due.
create index gate_debts_due on gate_debts (due_at) where state = 'open';
-- What an environment owes.
create index gate_debts_environment on gate_debts (environment) where state = 'open';
-- A promotion is read with what it owes.
create index gate_debts_promotion on gate_debts (promotion_id);

create function check_debt_change() returns trigger language plpgsql as $check$
begin
  raise exception 'debt % is closed and never changes', old.id using errcode = 'ST001';
end $check$;
create trigger gate_debts_change before update on gate_debts for each row when (old.state <> 'open')
  execute function check_debt_change();
`;

/** After the grants of the foundation: what was asked for, and what is owed, is written once. */
export const skipsGrants = `
revoke update on skips, gate_debts from {app};
grant update (state, decided_by, decision_reason, decided_at, expires_at, ended_at, message) on skips to {app};
grant update (state, closed_at, due_at, ask_count, last_asked_at, last_outcome, message) on gate_debts to {app};
`;
