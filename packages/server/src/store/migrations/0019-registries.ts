/** How registries of artifacts are spoken to. */
import { EVENT_TYPES, REGISTRY_COUNT_MAX } from '@stella/domain';
import { among } from './among.ts';

export const registries = `
-- The new kinds of events.
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});

-- At most ${REGISTRY_COUNT_MAX}. Secrets stand in a definition by reference only.
create table registries (
  host text primary key,
  version bigint not null,
  hash text not null,
  definition jsonb not null,
  applied_at timestamptz not null
);
`;

export const registriesGrants = `
grant select, insert, update, delete on registries to {app};
`;
