/** Wake-ups that a commit owes to promotions whose rows were held. */

export const owedWakes = `
-- A row goes when its promotion was woken: by whoever wrote it, right after its commit, or by a worker that finds it still
-- there. No reference to the promotion, whose row would be locked by it.
create table owed_wakes (
  id bigint generated always as identity primary key,
  promotion_id text not null,
  owed_at timestamptz not null
);

-- Since when an environment is what it is: the audit compares what completed there with what it says (safety S10).
create index events_environment_removed on events (subject, at) where type = 'environment.removed';
`;

export const owedWakesGrants = `
grant select, insert, update, delete on owed_wakes to {app};
`;
