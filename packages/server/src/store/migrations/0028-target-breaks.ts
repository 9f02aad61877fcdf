/** What soaks need of looks at targets: when each was last not sound. */

export const targetBreaks = `
alter table target_observations
  add column broken_since_at timestamptz,
  -- Null while it lasts.
  add column broken_until_at timestamptz,
  -- That the target carried then.
  add column broken_components jsonb;

-- What is known by now to be unsound broke soaks from now on: nobody looked at it before.
update target_observations o set broken_since_at = date_trunc('milliseconds', now()), broken_components = coalesce((
    select case t ->> 'kind' when 'compose'
        then (select jsonb_agg(distinct c.value) from jsonb_each(t -> 'components') c)
        else jsonb_build_array(t -> 'component') end
    from environments e join environment_definitions d on d.environment = e.name and d.version = e.version,
      jsonb_array_elements(d.definition -> 'targets') t
    where e.name = o.environment and t ->> 'name' = o.target limit 1), '[]')
  where o.drift_since_at is not null or (o.promised is not null and not o.is_healthy);

alter table target_observations
  add constraint target_observations_broken check ((broken_since_at is null) = (broken_components is null)
    and (broken_since_at is not null or broken_until_at is null));

-- Whoever waits for a soak is few among many runs, and is looked for whenever something breaks or is sound again.
create index gate_runs_soaks on gate_runs (promotion_id) where kind = 'soak' and state = 'waiting';
`;
