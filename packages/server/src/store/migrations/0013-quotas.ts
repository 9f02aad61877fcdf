/** How many promotions may start in an environment: limits, who waits for one, and what people asked for. */
import { EVENT_TYPES, QUOTA_NAMES } from '@stella/domain';
import { among } from './among.ts';

export const quotas = `
alter table environments
  -- Of the newest version of the definition (domain, QuotaDefinition); settings go over it.
  add column quotas jsonb,
  -- At most one per quota (domain, QuotaRequest).
  add column quota_requests jsonb not null default '[]';

-- The quota that is used up and that it waits for, in its place in the queue.
alter table promotions add column quota_wait text check (quota_wait in ${among(QUOTA_NAMES)});
alter table promotions add constraint promotions_quota_wait
  -- Only in the queue is a place waited for.
  check (quota_wait is null or (ended_at is null and step = 'acquire_locks'));
-- Who waits for a place is counted for each environment.
create index promotions_waiting_for_quota on promotions (environment) where quota_wait is not null;

-- A promotion starts when it first takes its locks: what started in an environment of late.
create index locks_starts on locks (split_part(resource, '/', 1), acquired_at) where mode = 'exclusive';
-- Whether a promotion has started before.
create index locks_exclusive_of on locks (promotion_id) where mode = 'exclusive';

alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});
`;
