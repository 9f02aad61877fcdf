/** Channels by which people hear of promotions, and what is on its way to them. */
import { CHANNEL_COUNT_MAX, DELIVERY_STATES, EVENT_TYPES, NOTICE_TYPES } from '@stella/domain';
import { among } from './among.ts';

export const notifications = `
-- The new kinds of events.
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});

-- At most ${CHANNEL_COUNT_MAX}. Secrets stand in a definition by reference only.
create table notification_channels (
  name text primary key,
  version bigint not null,
  hash text not null,
  definition jsonb not null,
  applied_at timestamptz not null,
  -- Up to here in the global chain, events have become deliveries of this channel.
  seen_seq bigint not null
);

create table notifications (
  id text primary key,
  channel text not null,
  -- What it tells of, once per channel: an event by its place in the chain, a stall by its begin.
  source text not null,
  type text not null check (type in ${among(NOTICE_TYPES)}),
  promotion_id text not null references promotions (id),
  environment text not null,
  notice jsonb not null,
  state text not null check (state in ${among(DELIVERY_STATES)}),
  attempt_count bigint not null,
  created_at timestamptz not null,
  opened_at timestamptz not null,
  due_at timestamptz,
  last_attempt_at timestamptz,
  message text not null,
  ended_at timestamptz,
  unique (channel, source),
  -- What is pending always has a next attempt.
  check ((state = 'pending') = (due_at is not null)),
  -- Likewise.
  check ((state = 'pending') = (ended_at is null))
);
-- What a channel is due.
create index notifications_due on notifications (channel, due_at) where state = 'pending';
-- What has ended goes after its time.
create index notifications_ended on notifications (ended_at) where state <> 'pending';
-- What could not be delivered yet, or at all.
create index notifications_failed on notifications (channel, last_attempt_at) where state <> 'delivered';
-- When a channel was last reached.
create index notifications_delivered on notifications (channel, ended_at) where state = 'delivered';
-- The newest, for lists.
create index notifications_newest on notifications (created_at, id);
`;

export const notificationsGrants = `
grant select, insert, update, delete on notification_channels, notifications to {app};
`;
