/** Looks at targets between promotions: when each environment is due, and what each target was last seen to run (safety S10). */
import { EVENT_TYPES, FIRST_LOOK_AFTER_MS } from '@stella/domain';
import { among } from './among.ts';

export const observations = `
-- The new kinds of events.
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});

-- One row per environment; it refers to no environment's row, which ticks lock.
create table observation_rounds (
  environment text primary key,
  number bigint not null check (number >= 0),
  -- Also while one is under way: then whoever claimed it has died.
  due_at timestamptz not null,
  -- Of the last one, or when the environment was applied; null while one is under way.
  ended_at timestamptz
);
insert into observation_rounds (environment, number, due_at, ended_at)
  select name, 0, now() + interval '${FIRST_LOOK_AFTER_MS} milliseconds', now() from environments;

-- One row per target, written over by each newer look.
create table target_observations (
  environment text not null,
  target text not null,
  looked_at timestamptz not null,
  looked_by text not null,
  code text not null,
  message text not null,
  unseen_since_at timestamptz,
  seen_at timestamptz,
  digest text,
  is_healthy boolean,
  promised text,
  drift_since_at timestamptz,
  primary key (environment, target),
  -- The last look saw something, or says why not.
  constraint target_observations_unseen check ((unseen_since_at is null) = (code = '')),
  -- What was never seen has no digest, and says nothing of its health.
  constraint target_observations_seen check ((seen_at is null) = (is_healthy is null) and (seen_at is not null or digest is null)),
  -- What drifts was seen, and something is promised there.
  constraint target_observations_drift check (drift_since_at is null or (seen_at is not null and promised is not null)),
  -- What the last look saw is drift when it is not what is promised, and only then.
  constraint target_observations_told check (unseen_since_at is not null
    or (drift_since_at is not null) = (promised is not null and promised is distinct from digest))
);
-- What is not as it should be, of all environments.
create index target_observations_troubled on target_observations (environment, target)
  where drift_since_at is not null or unseen_since_at is not null;
`;

/** After the grants of the foundation. */
export const observationsGrants = `
grant select, insert, update, delete on observation_rounds, target_observations to {app};
`;
